"""Token counts in the words of OpenAI's Responses."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage

_MOST: Final = 2**53
"""Nobody counts further; larger numbers do not survive other people's JSON."""


def decode_usage(usage: Json) -> Usage | None:
    """None when the upstream did not report, reported nothing but zeros, or reported nonsense."""
    if not isinstance(usage, dict):
        return None
    found = Usage(
        prompt=_count(usage, "input_tokens"),
        completion=_count(usage, "output_tokens"),
        cached=_count(usage.get("input_tokens_details"), "cached_tokens"),
        reasoning=_count(usage.get("output_tokens_details"), "reasoning_tokens"),
    )
    return found if found else None


def encode_usage(usage: Usage | None) -> Json:
    """Null when nobody counted."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _count(counts: Json, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST else 0
