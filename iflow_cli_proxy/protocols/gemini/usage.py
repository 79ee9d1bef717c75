"""Token counts in Gemini's words: thinking is counted beside the answer's own tokens, not among them."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage

_MOST: Final = 2**53


def decode_usage(usage: Json) -> Usage | None:
    """None when the upstream did not report, reported nothing but zeros, or reported nonsense."""
    if not isinstance(usage, dict):
        return None
    reasoning = _count(usage.get("thoughtsTokenCount"))
    found = Usage(
        prompt=_count(usage.get("promptTokenCount")) + _count(usage.get("toolUsePromptTokenCount")),
        completion=_count(usage.get("candidatesTokenCount")) + reasoning,
        cached=_count(usage.get("cachedContentTokenCount")),
        reasoning=reasoning,
    )
    return found if found else None


def encode_usage(usage: Usage) -> dict[str, Json]:
    reasoning = min(usage.reasoning, usage.completion)
    out: dict[str, Json] = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.completion - reasoning,
        "totalTokenCount": usage.total,
    }
    if usage.cached:
        out["cachedContentTokenCount"] = usage.cached
    if reasoning:
        out["thoughtsTokenCount"] = reasoning
    return out


def _count(value: Json) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST else 0
