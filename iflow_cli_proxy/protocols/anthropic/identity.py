"""Ids in the forms that Anthropic's clients know."""

from __future__ import annotations

from typing import Final

_MESSAGE: Final = "msg_"
_LONGEST: Final = 24


def message_id(given: str, standin: str) -> str:
    """The upstream's id if it has the form, else one made of it, or of what stands in where it gave none."""
    if given.startswith(_MESSAGE):
        return given
    return _MESSAGE + (_plain(given) or _plain(standin.removeprefix(_MESSAGE)) or "0")


def call_id(answer_id: str, number: int) -> str:
    """For a call that came without an id: made from the answer's, so that two turns never give the same."""
    return f"toolu_{_plain(answer_id.removeprefix(_MESSAGE))[-_LONGEST:]}_{number}"


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isalnum())
