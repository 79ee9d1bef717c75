"""Where an upstream writes its thinking: `reasoning_content`, `reasoning`, or a list of `reasoning_details`.

The list is OpenRouter's (reasoning tokens, "reasoning_details array shape"): texts, summaries and encrypted data. It
usually stands beside a plain field with the same words, which then counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from iflow_cli_proxy.protocols.openai_chat.wire import WireDelta

_SIGNATURE: Final = "signature"
_ENCRYPTED: Final = "encrypted"


class Thought(msgspec.Struct, frozen=True):
    """The thinking of one chunk, or of a whole answer."""

    text: str = ""
    seals: Mapping[str, str] = {}


_NOTHING: Final = Thought()


def text_of(delta: WireDelta) -> str:
    """What a person reads; some servers write it as a list of parts (Mistral's reasoning models)."""
    content = delta.content
    if isinstance(content, list):
        return "".join(_words(part) for part in _details(content) if part.get("type") == "text")
    return content or ""


def thought_of(delta: WireDelta) -> Thought:
    text = delta.reasoning_content or delta.reasoning or ""
    if not text and isinstance(delta.content, list):
        thinking = [part.get("thinking") for part in _details(delta.content) if part.get("type") == "thinking"]
        text = "".join(_words(detail) for inner in thinking for detail in _details(inner))
    if delta.reasoning_details is None and not delta.signature:
        return Thought(text) if text else _NOTHING
    details = list(_details(delta.reasoning_details))
    seals: dict[str, str] = {}
    for detail in details:
        if isinstance(sign := detail.get(_SIGNATURE), str) and sign:
            seals[_SIGNATURE] = seals.get(_SIGNATURE, "") + sign
        if isinstance(data := detail.get("data"), str) and data:
            seals[_ENCRYPTED] = seals.get(_ENCRYPTED, "") + data
    if delta.signature:
        seals[_SIGNATURE] = delta.signature
    return Thought(text or "".join(_words(detail) for detail in details), seals)


def _details(value: Any) -> Iterator[Mapping[str, Any]]:
    """What is no list of objects says nothing."""
    return (detail for detail in (value if isinstance(value, list) else ()) if isinstance(detail, dict))


def _words(detail: Mapping[str, Any]) -> str:
    found = detail.get("text") or detail.get("summary")
    return found if isinstance(found, str) else ""
