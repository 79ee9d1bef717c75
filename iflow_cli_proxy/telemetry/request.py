"""Which request the running code serves, so that each log line of it carries its id, whoever writes the line.

What a request sets going (a refresh, a thread, a task beside it) takes the id along.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Empty outside of requests."""
