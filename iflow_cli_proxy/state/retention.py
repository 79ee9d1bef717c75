"""Until when the ledger keeps what it has: how old and how large it may become.

What client keys used in the running month stays in any case: their budgets are taken up from it after a restart. Plain
arithmetic over instants it is given. A clock that jumps must not make everything old at once (RELIABILITY F57).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Final

_DAY_S: Final = 86_400.0
_MOST_JUMP_S: Final = _DAY_S


@dataclass(frozen=True, kw_only=True)
class Retention:
    """0 is no limit."""

    days: float = 90.0
    largest_bytes: int = 512 << 20
    flight_bytes: int = 64 << 20
    """Of what the flight recorder keeps, which does not count as part of the rest."""

    def before(self, now: float) -> float:
        """What ended earlier may go."""
        return now - self.days * _DAY_S if self.days else -inf

    @property
    def most_bytes(self) -> int:
        return self.largest_bytes or 1 << 62

    @property
    def most_flight_bytes(self) -> int:
        return self.flight_bytes or 1 << 62


def day_of(now: float) -> float:
    """The moment at which the day of UTC began that `now` is in."""
    return now // _DAY_S * _DAY_S


def month_of(now: float) -> float:
    """The moment at which the month of UTC began that `now` is in."""
    day = datetime.fromtimestamp(now, UTC)
    return datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()


class CautiousDate:
    """The time of day, believed only as far as it can have passed and a day more at each look.

    A clock that is wrong by years for an hour costs a day of the oldest rows at most; one that was put right, or a
    machine that slept, is believed after a few looks.
    """

    def __init__(self) -> None:
        self._believed: tuple[float, float] | None = None

    def look(self, now: float, monotonic: float) -> float:
        """`now` are epoch seconds, `monotonic` those that only pass."""
        if self._believed is not None:
            then, looked_at = self._believed
            now = min(now, then + (monotonic - looked_at) + _MOST_JUMP_S)
        self._believed = (now, monotonic)
        return now
