"""Time, handed over rather than looked up: two readings, and the machine's own clock.

Knows the difference between the time of day, which may jump, and time that only passes. Refuses to know deadlines and
timers; a test passes a clock of its own.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970, as people and other machines count them; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; only ever grows. For intervals."""
        ...


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now(self) -> float:
        return time.time()  # noqa: TID251 -- the one place that reads it

    def monotonic(self) -> float:
        return time.monotonic()
