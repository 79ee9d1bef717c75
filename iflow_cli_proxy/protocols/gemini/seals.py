"""`thoughtSignature`: the one place where Gemini lets something opaque come back, and so the place for every seal.

Google's clients take it for base64. A signature that is base64 goes as it is; anything else is packed, so that seals
of other protocols survive a turn of a Gemini client as well.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError

PLACEHOLDERS: Final = frozenset({"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"})
"""What clients write where they have none (Gemini CLI 0.61.0); no seal of anybody's."""

_MARK: Final = b"sealed:"
_SIGNATURE: Final = "signature"


def encode_seals(seals: Mapping[str, str]) -> str:
    """One `thoughtSignature` for all of them; empty when there are none."""
    if not seals:
        return ""
    if seals.keys() == {_SIGNATURE} and _is_plain(seals[_SIGNATURE]):
        return seals[_SIGNATURE]
    return b64encode(_MARK + jsonx.encode(dict(seals))).decode()


def decode_seals(signature: str) -> dict[str, str]:
    """The reverse. Google's own is one signature."""
    packed = _decoded(signature)
    if packed is not None and packed.startswith(_MARK):
        with suppress(JsonError):  # somebody else's bytes may begin like ours
            return jsonx.convert(jsonx.decode_strict(packed[len(_MARK) :]), dict[str, str])
    return {_SIGNATURE: signature} if signature else {}


def _is_plain(signature: str) -> bool:
    decoded = _decoded(signature)
    return decoded is not None and bool(decoded) and not decoded.startswith(_MARK)


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        return None
