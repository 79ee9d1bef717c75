"""Token counts in Anthropic's words: its input tokens are only those that no cache had a part in."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage, estimate_tokens

_MOST: Final = 2**53
"""Nobody counts further; larger numbers do not survive other people's JSON."""

_INPUT: Final = "input_tokens"
_WRITTEN: Final = "cache_creation_input_tokens"
_READ: Final = "cache_read_input_tokens"
_OUTPUT: Final = "output_tokens"


class Counter:
    """The counts of one stream: each report is cumulative, and says nothing of what it leaves out or calls zero."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def take(self, usage: Json) -> None:
        if isinstance(usage, dict):
            found = {name: _count(usage, name) for name in (_INPUT, _WRITTEN, _READ, _OUTPUT)}
            found["thinking"] = _thinking(usage)
            self._counts |= {name: count for name, count in found.items() if count}

    @property
    def usage(self) -> Usage | None:
        """None while nobody has reported anything but zeros."""
        counts = self._counts
        cached = counts.get(_READ, 0)
        found = Usage(
            prompt=counts.get(_INPUT, 0) + counts.get(_WRITTEN, 0) + cached,
            completion=counts.get(_OUTPUT, 0),
            cached=cached,
            reasoning=counts.get("thinking", 0),
        )
        return found if found else None


def decode_usage(usage: Json) -> Usage | None:
    """None when the upstream did not report, reported nothing but zeros, or reported nonsense."""
    counter = Counter()
    counter.take(usage)
    return counter.usage


def encode_usage(usage: Usage) -> dict[str, Json]:
    out: dict[str, Json] = {
        _INPUT: max(0, usage.prompt - usage.cached),
        _WRITTEN: 0,
        _READ: usage.cached,
        _OUTPUT: usage.completion,
    }
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return out


def estimated(prompt_tokens: int, characters: int) -> Usage:
    """For an answer nobody counted: clients measure by it how full their window is. Zeros if nobody estimates."""
    completion = estimate_tokens(characters) if prompt_tokens else 0
    return Usage(prompt=prompt_tokens, completion=completion, is_estimated=True)


def _thinking(usage: dict[str, Json]) -> int:
    details = usage.get("output_tokens_details")
    return _count(details, "thinking_tokens") if isinstance(details, dict) else 0


def _count(counts: dict[str, Json], name: str) -> int:
    value = counts.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST else 0
