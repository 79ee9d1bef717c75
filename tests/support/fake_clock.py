"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """Both readings move together; `jump` moves only the time of day, as a corrected clock does."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._passed = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._passed += seconds

    def jump(self, seconds: float) -> None:
        self._now += seconds
