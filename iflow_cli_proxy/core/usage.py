"""Tokens counted, and arithmetic on them."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts of one answer. `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    is_estimated: bool = False

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cached=self.cached + other.cached,
            reasoning=self.reasoning + other.reasoning,
            is_estimated=self.is_estimated or other.is_estimated,
        )

    def __bool__(self) -> bool:
        """Upstreams report zeros when they did not count (kimi-k2.5 at iFlow, reference section 6.2)."""
        return self.total > 0


def estimate_tokens(characters: int) -> int:
    """ceil(characters / 4), the usual stand-in for a count nobody reported."""
    return -(-characters // 4)
