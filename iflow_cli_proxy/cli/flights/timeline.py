"""Attempts as bars on one line of time: waiting for headers, for content, and what came then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

_WAITING: Final = "░"
_THINKING: Final = "▒"
_TALKING: Final = "█"
_SHORTEST: Final = 8


def bars(attempts: Sequence[Mapping[str, Any]], duration_s: float, width: int) -> list[str]:
    """One for each attempt, to scale; what took any time at all is seen. None where there is nothing to draw."""
    ends = [one["ended_s"] or 0.0 for one in attempts]
    whole_s = max([duration_s, *ends])
    if whole_s <= 0 or width < _SHORTEST:
        return []
    return [_bar(one, whole_s, width) for one in attempts]


def _bar(one: Mapping[str, Any], whole_s: float, width: int) -> str:
    begins = one["started_s"] or 0.0
    ends = one["ended_s"] if one["ended_s"] is not None else whole_s
    headers = one["headers_s"] if one["headers_s"] is not None else ends
    content = one["first_content_s"] if one["first_content_s"] is not None else ends
    places = [min(width, round(moment / whole_s * width)) for moment in (begins, headers, content, ends)]
    start, first, second, last = accumulate(places, max)
    start = min(start, width - 1)
    drawn = _WAITING * (first - start) + _THINKING * (second - first) + _TALKING * (last - second)
    return " " * start + (drawn or _WAITING)
