"""Which paths are the admin page's: other rules hold there than at the endpoints for clients."""

from __future__ import annotations

from typing import Final

START: Final = "/admin"


def is_admin(path: str) -> bool:
    """Whether a request is for the page or its calls, whatever it finds there."""
    return path.startswith(START) and (len(path) == len(START) or path[len(START)] == "/")
