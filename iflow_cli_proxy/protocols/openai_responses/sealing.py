"""Seals of thinking as `encrypted_content`, the one opaque text that clients of Responses give back.

A seal that came from an upstream speaking Responses is that text. One of another protocol wears a label that says which
kind it is, so that it comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENCRYPTED: Final = "encrypted"
_LABEL: Final = "iflow2api.seal."
_MARK: Final = ":"


def encode_seals(seals: Mapping[str, str]) -> str | None:
    """There is room for one."""
    if ENCRYPTED in seals:
        return seals[ENCRYPTED]
    for kind, value in seals.items():
        return f"{_LABEL}{kind}{_MARK}{value}"
    return None


def decode_seals(text: str) -> dict[str, str]:
    if not text:
        return {}
    kind, mark, value = text.removeprefix(_LABEL).partition(_MARK)
    return {kind: value} if text.startswith(_LABEL) and mark else {ENCRYPTED: text}
