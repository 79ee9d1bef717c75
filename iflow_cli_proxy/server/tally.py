"""What a server has done lately and since it started: counts by the second for a minute, and totals.

An observer of exchanges, so it knows only those that have ended. Memory is bounded whatever the traffic.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.bookkeeping import usage_of

WINDOW_S: Final = 60
_MOST_TIMES: Final = 64
"""First-byte times kept of one second; in a busier one the latest count."""


@dataclass(slots=True)
class Second:
    """What ended within one second."""

    requests: int = 0
    errors: int = 0
    left: int = 0
    """Requests whose clients did not wait for the answer: neither good nor bad."""
    tokens: int = 0
    first_byte_s: list[float] = field(default_factory=list)
    errors_by_kind: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Minute:
    """The last minute, which is still going on."""

    seconds: tuple[Second, ...]
    """Oldest first; the last one is not over."""
    span_s: float
    """How much of it there has been: a server may be younger."""

    @property
    def requests(self) -> int:
        return sum(one.requests for one in self.seconds)

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.seconds)

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.seconds)

    @property
    def error_rate(self) -> float:
        """The share of failures among requests that came to any end."""
        ended = self.requests - sum(one.left for one in self.seconds)
        return self.errors / ended if ended else 0.0

    @property
    def errors_by_kind(self) -> dict[str, int]:
        """The most frequent first."""
        kinds = sum((one.errors_by_kind for one in self.seconds), Counter[str]())
        return dict(kinds.most_common())

    def first_byte_s(self, *shares: float) -> list[float | None]:
        """How long it took until an answer began, at each of these shares of all requests (0.95: the slowest 5 %)."""
        times = sorted(time for one in self.seconds for time in one.first_byte_s)
        return [times[min(len(times) - 1, int(share * len(times)))] if times else None for share in shares]


class Tally:
    """One for each server; `note` is told of every exchange that ended."""

    def __init__(self, clock: Clock) -> None:
        self.started_at = clock.monotonic()
        self.requests = 0
        self.errors = 0
        self.tokens = 0
        self._clock = clock
        self._seconds: dict[int, Second] = {}

    @property
    def uptime_s(self) -> float:
        return self._clock.monotonic() - self.started_at

    def note(self, exchange: Exchange) -> None:
        second = self._now()
        tokens = usage_of(exchange).total + exchange.usage_beside.total
        self.requests += 1
        self.tokens += tokens
        second.requests += 1
        second.tokens += tokens
        if exchange.is_left:
            second.left += 1
        elif exchange.error_kind or exchange.status >= 400:
            self.errors += 1
            second.errors += 1
            second.errors_by_kind[exchange.error_kind or f"http_{exchange.status}"] += 1
        if exchange.first_byte_s is not None:
            if len(second.first_byte_s) >= _MOST_TIMES:
                second.first_byte_s[second.requests % _MOST_TIMES] = exchange.first_byte_s
            else:
                second.first_byte_s.append(exchange.first_byte_s)

    def minute(self) -> Minute:
        now = int(self._clock.monotonic())
        seconds = tuple(self._seconds.get(at) or Second() for at in range(now - WINDOW_S + 1, now + 1))
        return Minute(seconds=seconds, span_s=min(float(WINDOW_S), max(1.0, self.uptime_s)))

    def _now(self) -> Second:
        """The bucket of this moment; with each new one those go that no minute holds any more."""
        at = int(self._clock.monotonic())
        second = self._seconds.get(at)
        if second is None:
            for old in [one for one in self._seconds if one <= at - WINDOW_S]:
                del self._seconds[old]
            second = self._seconds[at] = Second()
        return second
