"""What is true of one account right now, and what stands in the way of a request to it.

Knows the account's ways (one for each model), its breakers and its pace. Refuses to choose between accounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from sys import maxsize
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker, family_of
from iflow_cli_proxy.pool.pace import Pace
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.way import Way
from iflow_cli_proxy.pool.wish import Wish

Reason: TypeAlias = Literal["busy", "trial", "paced", "resting", "breaker", "host", "tried", "none"]
Gate: TypeAlias = Way | Breaker

_MOST_MODELS: Final = 64
"""Clients name models; what is remembered of those that no catalogue has makes room for others of them."""


class Hindrance(msgspec.Struct, frozen=True):
    """Why an account cannot be leased now."""

    until: float
    reason: Reason
    detail: str
    is_ejected: bool
    """It rests or a breaker is open, whatever else may be true."""
    rest: RestReason | None = None
    """Why it rests, where it does."""


class Standing:
    """Changed by the pool alone; others read it."""

    __slots__ = (
        "_breakers", "_lost_at", "_most", "_pace", "_ways", "account", "failures_in_a_row", "fresh_until", "host", "id",
        "in_flight", "is_paced", "is_troubled", "last_error", "requests", "turn",
    )  # fmt: skip

    def __init__(self, account: Account, host: Breaker) -> None:
        self.host = host
        self.in_flight = 0
        self.requests = 0
        self.turn = 0
        """Ticket of its latest lease: the smallest has waited longest."""
        self.failures_in_a_row = 0
        self.last_error = ""
        """Kind of the last failure, empty after a success."""
        self.is_troubled = False
        """There is a rest or a breaker to look at."""
        self.is_paced = False
        """There is a pace to keep to."""
        self._lost_at = -inf
        """When a connection of its own failed last."""
        self._ways: dict[str, Way] = {}
        self._breakers: dict[str, Breaker] = {}
        """By family of models."""
        self._pace = Pace()
        """Of all models together, as the settings say."""
        self.become(account)

    def become(self, account: Account) -> None:
        """The same identity with another credential or other limits."""
        self.account = account
        self.id = account.id
        self.fresh_until = account.fresh_until
        self._most = account.concurrency or maxsize
        self._pace.set(account.rpm, account.tpm)
        self.note_state()

    @property
    def has_room(self) -> bool:
        return self.in_flight < self._most

    def is_free(self, wish: Wish, now: float) -> bool:
        """Whether it may be leased this moment; kept short, since it runs for every account and request."""
        if self.in_flight >= self._most:
            return False
        if self.is_troubled or not self.host.is_closed:
            for gate in self.gates(wish.model):
                if gate.opens_at(now) > now:
                    return False
        return not self.is_paced or self._paced_until(wish, now) <= now

    def hindrance(self, wish: Wish, now: float, *, in_need: bool = False) -> Hindrance | None:
        """What keeps it from being leased; None when nothing does. In need, failures of its own do not count."""
        until = now
        reason: Reason = "none"
        detail = ""
        rest: RestReason | None = None
        is_on_trial = False
        for gate in self.gates(wish.model):
            opens_at = gate.opens_at(now)
            if gate.trial:
                is_on_trial = True
            elif opens_at > until and not (in_need and self._is_for_failures(gate)):
                until, (reason, detail, rest) = opens_at, self._words(gate)
        is_ejected = is_on_trial or until > now
        if not self.has_room:
            return Hindrance(inf, "busy", "as many requests run on it as it may have", is_ejected)
        if is_on_trial and until <= now:
            return Hindrance(inf, "trial", "the one request that tries it again is still running", is_ejected)
        paced_until = self._paced_until(wish, now)
        if paced_until > until:
            return Hindrance(paced_until, "paced", "its requests or tokens of this minute are used", is_ejected)
        return Hindrance(until, reason, detail, is_ejected, rest) if is_ejected else None

    def gates(self, model: str) -> Iterator[Gate]:
        """Everything on the way to `model` that is not simply open."""
        if not self.host.is_closed:
            yield self.host
        yield from self.own_gates(model)

    def own_gates(self, model: str) -> Iterator[Gate]:
        """Those that no other account has."""
        for name in ("", model) if model else ("",):
            way = self._ways.get(name)
            if way is not None and way.rest is not None:
                yield way
        breaker = self._breakers.get(family_of(model))
        if breaker is not None and not breaker.is_closed:
            yield breaker

    def release(self, ticket: int, model: str) -> None:
        """A trial is over, with a verdict or without."""
        for gate in (self._breakers.get(family_of(model)), self._ways.get(""), self._ways.get(model)):
            if gate is not None:
                gate.release(ticket)

    def way(self, model: str, *, is_listed: bool = False) -> Way:
        way = self._ways.get(model)
        if way is None:
            if not is_listed:
                self._forget_a_way()
            way = self._ways[model] = Way(model, is_listed=is_listed)
        return way

    def ways(self) -> Iterator[Way]:
        return iter(self._ways.values())

    def paces(self, now: float) -> Iterator[tuple[str, int, int]]:
        """Model, requests and tokens a minute of every limit that is known; no model for all together."""
        for name, pace in (("", self._pace), *((name, way.pace) for name, way in self._ways.items())):
            if any(limits := pace.limits(now)):
                yield (name, *limits)

    def open_breakers(self) -> Iterator[str]:
        """`host`, and the families of models whose breaker is open."""
        if not self.host.is_closed:
            yield "host"
        yield from (f"{family} models" for family, each in self._breakers.items() if not each.is_closed)

    def breaker(self, model: str, rules: PoolRules) -> Breaker:
        family = family_of(model)
        breaker = self._breakers.get(family)
        if breaker is None:
            self._forget_a_breaker()
            breaker = self._breakers[family] = Breaker(rules.breaker)
        return breaker

    def failed_at(self, model: str) -> float:
        way = self._ways.get(model)
        return way.failed_at if way is not None else -inf

    def note_lost(self, now: float, host: Breaker) -> bool:
        """A connection of its own failed; True when it was not the first one and the host has answered others since."""
        is_alone = host.well_at > self._lost_at > -inf
        self._lost_at = now
        return is_alone

    def use(self, model: str, now: float, tokens: int, *, is_listed: bool = False) -> None:
        """A request goes out."""
        (self._ways.get(model) or self.way(model, is_listed=is_listed)).pace.use(now, tokens)
        if self._pace.is_limited:
            self._pace.use(now, tokens)

    def correct(self, model: str, at: float, requests: int, tokens: int) -> None:
        """What went out at the moment `at` was more or less than thought."""
        way = self._ways.get(model)
        if way is not None:
            way.pace.correct(at, requests, tokens)
        self._pace.correct(at, requests, tokens)

    def clear(self, rules: PoolRules) -> None:
        """As if nothing had ever gone wrong; what runs, and the settings' own limits, still count."""
        self._ways.clear()
        self._breakers.clear()
        self.host.close(rules.breaker)
        self.failures_in_a_row = 0
        self.last_error = ""
        self.note_state()

    def note_state(self) -> None:
        """Take the short cuts that `is_free` lives on; called whenever a rest, a breaker or a limit has changed."""
        ways = self._ways.values()
        self.is_troubled = any(way.rest for way in ways) or any(not each.is_closed for each in self._breakers.values())
        self.is_paced = self._pace.is_limited or any(way.pace.is_limited for way in ways)

    def _forget_a_way(self) -> None:
        """Of too many names that no catalogue has, the one that is missed least: idle ones first, then whose rest ends
        first. None that is on trial."""
        names = [way for way in self._ways.values() if way.model and not way.is_listed]
        if len(names) >= _MOST_MODELS:
            passing = [way for way in names if not way.trial] or names
            del self._ways[min(passing, key=lambda way: way.worth).model]

    def _forget_a_breaker(self) -> None:
        if len(self._breakers) >= _MOST_MODELS:
            passing = [name for name, each in self._breakers.items() if not each.trial] or [*self._breakers]
            del self._breakers[min(passing, key=lambda name: self._breakers[name].worth)]

    def _paced_until(self, wish: Wish, now: float) -> float:
        way = self._ways.get(wish.model)
        of_model = way.pace.opens_at(now, wish.tokens) if way is not None and way.pace.is_limited else now
        return max(of_model, self._pace.opens_at(now, wish.tokens)) if self._pace.is_limited else of_model

    def _words(self, gate: Gate) -> tuple[Reason, str, RestReason | None]:
        if gate is self.host:
            return "host", "no connection to its upstream holds", None
        if isinstance(gate, Breaker):
            return "breaker", "its upstream fails again and again", None
        rest = gate.rest
        return ("resting", f"{rest.detail}; {rest.next_step}", rest.reason) if rest else ("resting", "", None)

    def _is_for_failures(self, gate: Gate) -> bool:
        if isinstance(gate, Breaker):
            return gate is not self.host
        return gate.rest is not None and gate.rest.reason is RestReason.FAILING


def host_of(account: Account) -> str:
    """What accounts have in common when their upstream is down."""
    return urlsplit(account.base_url).netloc.lower() or account.provider
