"""Lengths of time as people say them."""

from __future__ import annotations

from math import floor, inf
from typing import Final

_UNITS: Final = ((1.0, "s", 60.0), (60.0, "min", 60.0), (3600.0, "h", 48.0), (86_400.0, "d", inf))
"""Seconds, name, and the number from which the next one is used."""


def span(seconds: float) -> str:
    """`3 h`, `12 min`: rounded, in the largest unit that fits; the sign does not count."""
    counts = ((floor(abs(seconds) / size + 0.5), unit, most) for size, unit, most in _UNITS)
    return next(f"{count} {unit}" for count, unit, most in counts if count < most)
