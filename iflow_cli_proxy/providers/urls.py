"""Joining a base URL with the path of an API. Trims what people paste, and guesses nothing."""

from __future__ import annotations

from typing import Final

CHAT: Final = "/chat/completions"
MODELS: Final = "/models"
EMBEDDINGS: Final = "/embeddings"


def join(base_url: str, path: str) -> str:
    """`base_url` with or without a trailing slash or the chat path itself; a query stays at the end."""
    base, mark, query = base_url.strip().partition("?")
    base = base.rstrip("/").removesuffix(CHAT).rstrip("/")
    return f"{base}{path}{mark}{query}"
