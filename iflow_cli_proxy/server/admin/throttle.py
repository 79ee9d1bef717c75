"""How often somebody may try a password (RELIABILITY I31).

Knows tries by address and in all: ten a minute from one address with a growing pause after failures, a hundred a minute
from all who never signed in. The owner's addresses and this machine's are not among those, so strangers cannot lock the
owner out. What a header says of an address is not believed (I29): whoever asks hands over that of the connection.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import RateLimited

MOST_FROM_ONE: Final = 10
MOST_IN_ALL: Final = 100
_WINDOW_S: Final = 60.0
_FREE_FAILURES: Final = 3
"""Typing errors that cost nothing."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_FORGIVES_S: Final = 900.0
"""After so long without a try the pauses begin anew."""
_MOST_ADDRESSES: Final = 10_000
_MOST_OWN: Final = 64
_HERE: Final = frozenset({"127.0.0.1", "::/64", ""})
"""This machine, as `holder_of` calls it: the owner has a way in before anybody has signed in."""


@dataclass(eq=False, slots=True)
class _Knocks:
    at: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_FROM_ONE))
    failures: int = 0
    """In a row."""
    closed_until: float = 0.0


class Throttle:
    """One for each server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._knocks: OrderedDict[str, _Knocks] = OrderedDict()
        self._in_all: deque[float] = deque(maxlen=MOST_IN_ALL)
        self._own: OrderedDict[str, None] = OrderedDict()
        """Addresses that somebody has signed in from."""

    def knock(self, address: str) -> None:
        """Count one try, before anything is compared: tries at the same moment count too.

        Raises:
            RateLimited: it is one too many.
        """
        now = self._clock.monotonic()
        knocks = self._of(address)
        waits_s = max(knocks.closed_until - now, _until_free(knocks.at, MOST_FROM_ONE, now))
        if knocks.at and now - knocks.at[-1] > _FORGIVES_S:
            knocks.failures = 0
        is_own = address in self._own or address in _HERE
        if not is_own:
            waits_s = max(waits_s, _until_free(self._in_all, MOST_IN_ALL, now))
        if waits_s > 0:
            raise RateLimited(
                "Too many tries to sign in.",
                hint="wait a moment; `iflow2api admin password` sets another password",
                retry_after_s=waits_s,
                code="throttled",
            )
        knocks.at.append(now)
        if not is_own:
            self._in_all.append(now)

    def failed(self, address: str) -> None:
        """It was wrong; after a few in a row the next one has to wait, twice as long each time."""
        knocks = self._of(address)
        knocks.failures += 1
        if (beyond := knocks.failures - _FREE_FAILURES) >= 0:
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(beyond, 30))
            knocks.closed_until = self._clock.monotonic() + pause_s

    def succeeded(self, address: str) -> None:
        """Somebody is in: this is an address of the owner from now on."""
        self._knocks.pop(address, None)
        self._own[address] = None
        self._own.move_to_end(address)
        if len(self._own) > _MOST_OWN:
            self._own.popitem(last=False)

    def _of(self, address: str) -> _Knocks:
        knocks = self._knocks.setdefault(address, _Knocks())
        self._knocks.move_to_end(address)
        if len(self._knocks) > _MOST_ADDRESSES:
            self._knocks.popitem(last=False)
        return knocks


def _until_free(at: deque[float], most: int, now: float) -> float:
    """Seconds until the oldest of the last `most` tries is out of the window."""
    return at[0] + _WINDOW_S - now if len(at) >= most else 0.0
