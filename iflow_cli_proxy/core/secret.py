"""A word that must not be shown, wrapped so that showing it takes intent.

Knows how a secret may appear in front of people (`sk-…4f2a`). Refuses to know where secrets come from.
"""

from __future__ import annotations

from typing import Final

_SHOWN_END: Final = 4
_SHORTEST_PARTLY_SHOWN: Final = 12
_SHORTEST_HIDDEN: Final = 4

HIDDEN: Final = "[secret]"
"""Stands in a text where a secret stood."""


def mask(secret: str) -> str:
    """`sk-…4f2a` for a long secret, `…` for one so short that four characters would give it away."""
    if not secret:
        return ""
    if len(secret) < _SHORTEST_PARTLY_SHOWN:
        return "…"
    prefix, dash, _ = secret.partition("-")
    shown_start = prefix + dash if dash and len(prefix) <= _SHOWN_END else ""
    return f"{shown_start}…{secret[-_SHOWN_END:]}"


def mask_url(url: str) -> str:
    """The URL without the password (and user name) it may carry."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not mark or "@" not in authority:
        return url
    return f"{scheme}://…@{authority.rpartition('@')[2]}{slash}{path}"


def hide(text: str, secret: str) -> str:
    """`text` without a secret that is known, whatever it looks like."""
    return text.replace(secret, HIDDEN) if len(secret) >= _SHORTEST_HIDDEN else text


class Secret:
    """Text that prints masked; `reveal()` is the one way to read it, and easy to search for."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __str__(self) -> str:
        return mask(self._text)

    def __repr__(self) -> str:
        return f"Secret({mask(self._text)!r})"
