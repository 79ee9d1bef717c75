"""Token counts in the words of OpenAI's Chat Completions and of its older Completions."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage

_MOST: Final = 2**53
"""Nobody counts further; larger numbers do not survive other people's JSON."""

_CACHED_ELSEWHERE: Final = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
"""Where DeepSeek, Moonshot and Anthropic-minded servers say what OpenAI says in `prompt_tokens_details`."""


def decode_usage(usage: Json) -> Usage | None:
    """None when the upstream did not report, reported nothing but zeros, or reported nonsense."""
    if not isinstance(usage, dict):
        return None
    cached = _inner(usage, "prompt_tokens_details", "cached_tokens")
    found = Usage(
        prompt=_count(usage, "prompt_tokens"),
        completion=_count(usage, "completion_tokens"),
        cached=cached or _cached_elsewhere(usage),
        reasoning=_inner(usage, "completion_tokens_details", "reasoning_tokens"),
    )
    return found if found else None


def encode_usage(usage: Usage | None) -> Json:
    """Zeros when nobody counted, as clients expect the object to be there."""
    usage = usage or Usage()
    out: dict[str, Json] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }
    if usage.cached:
        out["prompt_tokens_details"] = {"cached_tokens": usage.cached}
    if usage.reasoning:
        out["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return out


def _cached_elsewhere(usage: dict[str, Json]) -> int:
    for name in _CACHED_ELSEWHERE:
        if name in usage and (count := _count(usage, name)):
            return count
    return 0


def _inner(usage: dict[str, Json], details: str, name: str) -> int:
    inner = usage.get(details)
    return _count(inner, name) if isinstance(inner, dict) else 0


def _count(counts: dict[str, Json], name: str) -> int:
    value = counts.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST else 0
