"""Seals of thinking as `encrypted_content`, the one opaque text that clients of Responses give back.

A seal that came from an upstream speaking Responses is that text. One of another protocol wears a label that says which
kind it is, so that it comes back as what it was; several of one thought share a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError

ENCRYPTED: Final = "encrypted"
_LABEL: Final = "iflow2api.seal."
_MARK: Final = ":"
_SEVERAL: Final = "all"
"""The kind of a seal that is several, as JSON."""


_decode_several: Final = jsonx.typed(dict[str, str])


def encode_seals(seals: Mapping[str, str]) -> str | None:
    if not seals:
        return None
    if len(seals) > 1:
        return f"{_LABEL}{_SEVERAL}{_MARK}{jsonx.encode(dict(seals)).decode()}"
    ((kind, value),) = seals.items()
    return value if kind == ENCRYPTED else f"{_LABEL}{kind}{_MARK}{value}"


def decode_seals(text: str) -> dict[str, str]:
    if not text:
        return {}
    kind, mark, value = text.removeprefix(_LABEL).partition(_MARK)
    if not text.startswith(_LABEL) or not mark:
        return {ENCRYPTED: text}
    return _several(value) if kind == _SEVERAL else {kind: value}


def _several(text: str) -> dict[str, str]:
    """Nothing where they are not what we wrote: nobody can open them."""
    try:
        return _decode_several(text.encode("utf-8", "replace"))
    except JsonError:
        return {}
