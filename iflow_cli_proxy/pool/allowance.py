"""How much of its limits each client key has used: requests and tokens a minute, requests at one time, budgets.

Plain arithmetic over instants it is given: `now` are monotonic seconds, `wall` epoch seconds, which alone decide the
days and months of budgets (UTC). Limits come with every question, so that a changed key is obeyed at once and what was
counted stays. A window takes requests until it is full: what one request costs is known only once it has ended, so the
last one may go over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from iflow_cli_proxy.pool.client_key import Budget, ClientKey

WINDOW_S: Final = 60.0
_TICKS_PER_S: Final = 10
"""Entries of one tick are kept as one, so that a window has at most 601, whatever the limit."""
_ASK_AGAIN_S: Final = 1.0
"""When only the end of a running request can make room, and nobody knows when that is."""
_DAY_S: Final = 86_400


class Limit(StrEnum):
    RPM = "rpm"
    TPM = "tpm"
    CONCURRENCY = "concurrency"
    BUDGET = "budget"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Which limit is reached, and in how many seconds it is worth asking again."""

    limit: Limit
    frees_in_s: float


@dataclass(eq=False, slots=True, kw_only=True)
class Admission:
    """One request let in; ends once, by `settle` or `release`, and further ends do nothing."""

    counts: _Counts
    """What it is counted in, also when its key is forgotten meanwhile."""
    tokens: int
    """As estimated; they count against windows and budgets while the request runs."""
    is_running: bool
    """It holds one of the key's places."""
    admitted_at: float
    is_open: bool = True


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What was used in one day or month."""

    tokens: int = 0
    cost: float = 0.0


class Allowances:
    """The counts of every key, by its name."""

    def __init__(self) -> None:
        self._counts: dict[str, _Counts] = {}

    def admit(
        self, key: ClientKey, now: float, wall: float, tokens: int = 0, *, is_running: bool = True
    ) -> Admission | Refusal:
        """Let a request of `tokens` (estimated) in, or say what stands against it for the longest time.

        Without `is_running` it takes none of the key's places: for what is answered at once.
        """
        counts = self._counts.get(key.name)
        if counts is None:
            counts = self._counts[key.name] = _Counts()
        counts.forget_before(now - WINDOW_S)
        reasons = list(counts.objections(key, now, wall, is_running=is_running))
        if reasons:
            return max(reasons, key=lambda refusal: refusal.frees_in_s)
        counts.requests.add(now, 1)
        counts.open += 1
        counts.running += is_running
        counts.reserved += max(0, tokens)
        return Admission(counts=counts, tokens=max(0, tokens), is_running=is_running, admitted_at=now)

    def settle(
        self,
        admission: Admission,
        now: float,
        wall: float,
        tokens: int,
        cost: float = 0.0,
        *,
        further_requests: int = 0,
    ) -> None:
        """The request has ended: its place is free, and what it really used counts instead of the estimate.

        `further_requests` were made for its sake.
        """
        counts = self._end(admission)
        if counts is not None:
            tokens, cost = max(0, tokens), max(0.0, cost)
            counts.requests.add(now, further_requests)
            counts.tokens.add(now, tokens)
            for period in (counts.day, counts.month):
                period.spend(wall, tokens, cost)

    def release(self, admission: Admission) -> None:
        """The request never went out: as if it had not been let in."""
        counts = self._end(admission)
        if counts is not None:
            counts.requests.take_back(admission.admitted_at, 1)

    def spent(self, name: str, budget: Budget, wall: float) -> Spent:
        """What a key has used in the day or month that `wall` is in."""
        counts = self._counts.get(name)
        return counts.period(budget).at(wall) if counts is not None else Spent()

    def recall(self, name: str, wall: float, *, day: Spent, month: Spent) -> None:
        """Take up what is remembered from an earlier run, for the day and the month that `wall` is in."""
        counts = self._counts.setdefault(name, _Counts())
        counts.day.spend(wall, day.tokens, day.cost)
        counts.month.spend(wall, month.tokens, month.cost)

    def running(self, name: str) -> int:
        """How many places of a key are taken."""
        counts = self._counts.get(name)
        return counts.running if counts is not None else 0

    def forget(self, name: str) -> None:
        """Whoever has that name from now on begins with nothing used."""
        self._counts.pop(name, None)

    def forget_others(self, names: Collection[str], now: float, wall: float) -> None:
        """Drop what is counted for keys that are gone, once it could change nothing if they came back."""
        for name in [name for name in self._counts if name not in names]:
            counts = self._counts[name]
            counts.forget_before(now - WINDOW_S)
            if counts.is_idle(wall):
                del self._counts[name]

    def __len__(self) -> int:
        return len(self._counts)

    def _end(self, admission: Admission) -> _Counts | None:
        """The counts that the admission was in until now; None when it had ended before."""
        if not admission.is_open:
            return None
        admission.is_open = False
        counts = admission.counts
        counts.running -= admission.is_running
        counts.reserved -= admission.tokens
        counts.open -= 1
        return counts


class _Window:
    """Amounts of the last minute, by the tick of their time."""

    __slots__ = ("_entries", "total")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self.total = 0

    def add(self, at: float, amount: int) -> None:
        if amount <= 0:
            return
        self.total += amount
        if self._entries and _tick(self._entries[-1][0]) == _tick(at):
            amount += self._entries.pop()[1]
        self._entries.append((at, amount))

    def take_back(self, at: float, amount: int) -> None:
        """Undo what was added at that moment, unless the window has forgotten it already."""
        for place in range(len(self._entries) - 1, -1, -1):
            when, there = self._entries[place]
            if _tick(when) == _tick(at):
                taken = min(there, amount)
                self._entries[place] = (when, there - taken)
                self.total -= taken
                return

    def forget_before(self, moment: float) -> None:
        """An entry counts for a minute and not a moment longer."""
        while self._entries and self._entries[0][0] <= moment:
            self.total -= self._entries.popleft()[1]

    def full_until(self, limit: int, more: int = 0) -> float | None:
        """When less than `limit` is left with `more` that stays; None when only the end of `more` can do that."""
        left = self.total + more
        for at, amount in self._entries:
            left -= amount
            if left < limit:
                return at + WINDOW_S
        return None


class _Period:
    """What was spent in one day or month; a clock that is set back wins nothing.

    One that was set back by a day or month keeps counting in the one it was in, for it may come forward again. One that
    is further back was wrong before, and counts on from where it is now.
    """

    __slots__ = ("_is_month", "_number", "cost", "tokens")

    def __init__(self, *, is_month: bool) -> None:
        self._is_month = is_month
        self._number = 0
        self.tokens = 0
        self.cost = 0.0

    def at(self, wall: float) -> Spent:
        self._turn(wall)
        return Spent(tokens=self.tokens, cost=self.cost)

    def spend(self, wall: float, tokens: int, cost: float) -> None:
        self._turn(wall)
        self.tokens += tokens
        self.cost += cost

    def ends_in(self, wall: float) -> float:
        if not self._is_month:
            return _DAY_S - wall % _DAY_S
        today = datetime.fromtimestamp(wall, UTC)
        first = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
        return first.timestamp() - wall

    def _turn(self, wall: float) -> None:
        number = self._number_of(wall)
        if number > self._number:
            self.tokens, self.cost = 0, 0.0
        if number != self._number - 1:
            self._number = number

    def _number_of(self, wall: float) -> int:
        if not self._is_month:
            return int(wall // _DAY_S)
        today = datetime.fromtimestamp(wall, UTC)
        return today.year * 12 + today.month


@dataclass(eq=False, slots=True)
class _Counts:
    """Of one key."""

    requests: _Window = field(default_factory=_Window)
    tokens: _Window = field(default_factory=_Window)
    open: int = 0
    """Admissions that have not ended."""
    running: int = 0
    """Those of them that hold a place."""
    reserved: int = 0
    """The tokens they were estimated at."""
    day: _Period = field(default_factory=lambda: _Period(is_month=False))
    month: _Period = field(default_factory=lambda: _Period(is_month=True))

    def period(self, budget: Budget) -> _Period:
        return self.day if budget.per == "day" else self.month

    def forget_before(self, moment: float) -> None:
        self.requests.forget_before(moment)
        self.tokens.forget_before(moment)

    def is_idle(self, wall: float) -> bool:
        spent = (self.day.at(wall), self.month.at(wall))
        return not (self.open or self.requests.total or self.tokens.total or any(one != Spent() for one in spent))

    def objections(self, key: ClientKey, now: float, wall: float, *, is_running: bool) -> Iterator[Refusal]:
        """Every limit of the key that is reached."""
        if key.budget is not None and (frees_in_s := self._over_budget(key.budget, wall)):
            yield Refusal(limit=Limit.BUDGET, frees_in_s=frees_in_s)
        if key.rpm and self.requests.total >= key.rpm:
            yield Refusal(limit=Limit.RPM, frees_in_s=_wait(self.requests.full_until(key.rpm), now))
        if key.tpm and self.tokens.total + self.reserved >= key.tpm:
            until = self.tokens.full_until(key.tpm, self.reserved)
            yield Refusal(limit=Limit.TPM, frees_in_s=_wait(until, now))
        if is_running and key.concurrency and self.running >= key.concurrency:
            yield Refusal(limit=Limit.CONCURRENCY, frees_in_s=_ASK_AGAIN_S)

    def _over_budget(self, budget: Budget, wall: float) -> float:
        """In how many seconds there is room again; 0 when there is some."""
        period = self.period(budget)
        spent = period.at(wall)
        used, reserved = (spent.cost, 0) if budget.unit == "usd" else (spent.tokens, self.reserved)
        if used >= budget.amount:
            return period.ends_in(wall)
        return _ASK_AGAIN_S if used + reserved >= budget.amount else 0.0


def _wait(until: float | None, now: float) -> float:
    return _ASK_AGAIN_S if until is None else until - now


def _tick(moment: float) -> int:
    return int(moment * _TICKS_PER_S)
