"""Who may be called now: every account, what is true of each, and how leases on them went.

Pure bookkeeping: it never waits and reads no clock; instants are monotonic seconds handed in as `now`. Waiting for room
is `gateway/turnstile.py`. Knows the order of decisions; how one of several free accounts is picked is `selection.py`,
what comes of a lease `aftermath.py`, what keeps an account out `standing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from math import inf
from typing import Final, Literal, TypeAlias

from iflow_cli_proxy.pool import aftermath
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.lease import Closed, Lease
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.selection import Selector
from iflow_cli_proxy.pool.standing import Hindrance, Reason, Standing, host_of
from iflow_cli_proxy.pool.wish import Wish

__all__ = ["AccountPool", "Closed", "Lease", "Prospect"]

_UNTIL_A_LEASE_IS_BACK: Final[tuple[Reason, ...]] = ("busy", "trial")

Prospect: TypeAlias = Literal["soon", "later", "never"]
"""Whether an account can be had: now or in a moment, some time, or not as far as anybody can wait."""


class AccountPool:
    """Every account of every provider. `replace` swaps the set while leases are out; their counts carry over."""

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        rules: PoolRules = PoolRules(),  # noqa: B008 -- a frozen value
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        """`chance` is uniform in [0, 1)."""
        self.rules = rules
        self._chance = chance
        self._selector = Selector()
        self._tickets = 0
        self._standings: dict[str, Standing] = {}
        self._leaving: dict[str, Standing] = {}
        """Of accounts that were taken out while leases on them are out: they count should one come back."""
        self._of: dict[str, tuple[Standing, ...]] = {}
        """The same by provider."""
        self._hosts: dict[str, Breaker] = {}
        self.replace(accounts)

    # --- who is here ----------------------------------------------------------------------------------------------

    def replace(self, accounts: Iterable[Account]) -> None:
        old = {**self._leaving, **self._standings}
        hosts, self._hosts = self._hosts, {}
        self._standings = {}
        for account in accounts:
            name = host_of(account)
            host = self._hosts[name] = self._hosts.get(name) or hosts.get(name) or Breaker(self.rules.breaker)
            standing = old.get(account.id) or Standing(account, host)
            standing.host = host
            standing.become(account)
            self._standings[account.id] = standing
        self._leaving = {
            id: standing for id, standing in old.items() if standing.in_flight and id not in self._standings
        }  # fmt: skip
        everyone = tuple(self._standings.values())
        names = {standing.account.provider for standing in everyone}
        self._of = {name: tuple(one for one in everyone if one.account.provider == name) for name in names}
        self._selector.keep_only(self._standings.keys())

    def renew(self, account: Account) -> None:
        """Put a newer credential in force for leases to come; nothing happens when the account is not here any more."""
        standing = self._standings.get(account.id)
        if standing is not None:
            name = host_of(account)
            standing.host = self._hosts[name] = self._hosts.get(name) or Breaker(self.rules.breaker)
            standing.become(account)

    def standings(self, provider: str = "") -> tuple[Standing, ...]:
        return self._of.get(provider, ()) if provider else tuple(self._standings.values())

    def others(self, provider: str, tried: Set[str]) -> int:
        """How many accounts of `provider` are not among `tried` ids. Asked by every request: as quick as `tried` is
        short."""
        found = (self._standings.get(id) for id in tried)
        return len(self._of.get(provider, ())) - sum(1 for one in found if one and one.account.provider == provider)

    # --- leases ---------------------------------------------------------------------------------------------------

    def take(self, wish: Wish, now: float) -> Lease | Closed:
        """A lease on the account that serves `wish` best, or why there is none."""
        everyone = self._of.get(wish.provider, ())
        tried, allowed = wish.tried, wish.allowed
        if len(everyone) == 1:
            one = everyone[0]
            if one.id not in tried and (allowed is None or one.id in allowed) and one.is_free(wish, now):
                return self._lend(one, wish, now)
            return self._in_need(everyone, wish, now)
        free = [
            one
            for one in everyone
            if one.id not in tried and (allowed is None or one.id in allowed) and one.is_free(wish, now)
        ]
        if not free:
            return self._in_need(everyone, wish, now)
        return self._lend(self._best(free, everyone, wish, now), wish, now)

    def has_room(self, wish: Wish, now: float) -> bool:
        """Whether `take` would find a free account; nothing is taken."""
        allowed = wish.allowed
        return any(
            one.is_free(wish, now)
            for one in self._of.get(wish.provider, ())
            if one.id not in wish.tried and (allowed is None or one.id in allowed)
        )

    def prospect(self, wish: Wish, now: float, soon_s: float) -> Prospect:
        """Of accounts that `wish` allows and has not tried: `soon` is within `soon_s`, `later` when a lease is back."""
        best: Prospect = "never"
        for one in self._of.get(wish.provider, ()):
            if one.id in wish.tried or not (wish.allowed is None or one.id in wish.allowed):
                continue
            hindrance = one.hindrance(wish, now)
            if hindrance is None or hindrance.until <= now + soon_s:
                return "soon"
            if hindrance.reason in _UNTIL_A_LEASE_IS_BACK:
                best = "later"
        return best

    def vouch(self, lease: Lease, now: float) -> None:
        """Content has come: if the lease was a trial it has gone well, although the answer is not at its end yet."""
        if lease.is_trial:
            aftermath.pass_gates(lease, now, self.rules)

    def give_back(self, lease: Lease, outcome: Outcome, now: float) -> None:
        standing, error = lease.standing, outcome.error
        standing.in_flight -= 1
        aftermath.settle(lease, outcome)
        if outcome.headers:
            aftermath.learn(lease, outcome, now)
        if error is not None:
            aftermath.went_wrong(lease, error, now, self.rules, self._chance, self._running_on(lease.host))
        elif outcome.is_success:
            aftermath.went_well(lease, now, self.rules)
        if lease.is_trial:
            aftermath.release(lease)

    def _running_on(self, host: Breaker) -> int:
        return sum(one.in_flight for one in self._standings.values() if one.host is host)

    def _best(self, free: Sequence[Standing], everyone: Sequence[Standing], wish: Wish, now: float) -> Standing:
        if wish.wanted:
            for one in free:
                if one.id == wish.wanted:
                    return one
        # A bearer that has to be renewed first would make the request wait.
        fresh = [one for one in free if one.fresh_until > now] or free
        return fresh[0] if len(fresh) == 1 else self._selector.choose(fresh, everyone, wish, now, self.rules)

    def _in_need(self, everyone: Sequence[Standing], wish: Wish, now: float) -> Lease | Closed:
        """Nothing is free. Failures alone never keep everybody out (RELIABILITY F62): the one that failed least
        recently is lent as a trial."""
        here = [one for one in everyone if wish.allowed is None or one.id in wish.allowed]
        if not here:
            return Closed(inf, "none", "no account may be used")
        found = [(one, one.hindrance(wish, now)) for one in here]
        if all(hindrance is not None and hindrance.is_ejected for _, hindrance in found):
            found = [(one, one.hindrance(wish, now, in_need=True)) for one in here]
            lendable = [one for one, hindrance in found if hindrance is None and one.id not in wish.tried]
            if lendable:
                return self._lend(min(lendable, key=lambda one: one.failed_at(wish.model)), wish, now)
        left = [(one, hindrance) for one, hindrance in found if hindrance is not None and one.id not in wish.tried]
        if not left:
            return Closed(inf, "tried", "every account has been tried")
        return _closed(left, wish.model)

    def _lend(self, standing: Standing, wish: Wish, now: float) -> Lease:
        self._tickets = standing.turn = ticket = self._tickets + 1
        standing.in_flight += 1
        standing.requests += 1
        standing.use(wish.model, now, wish.tokens, is_listed=wish.is_listed)
        is_trial = False
        if standing.is_troubled or not standing.host.is_closed:
            for gate in standing.gates(wish.model):
                gate.trial, is_trial = ticket, True
        return Lease(standing.account, standing, standing.host, wish.model, is_trial, ticket, now, wish.tokens)

    def open_hosts(self) -> tuple[tuple[str, str, Breaker], ...]:
        """Breakers of hosts that are not closed, with the host and each provider that calls it."""
        pairs = dict.fromkeys((host_of(one.account), one.account.provider) for one in self._standings.values())
        found = ((host, provider, self._hosts[host]) for host, provider in pairs)
        return tuple(one for one in found if not one[2].is_closed)

    # --- rests, seen and changed from outside ---------------------------------------------------------------------

    def reset(self, account_id: str) -> bool:
        """Clear by hand what keeps an account out, its host's breaker included; False when there is no such account."""
        standing = self._standings.get(account_id)
        if standing is None:
            return False
        standing.clear(self.rules)
        return True

    def rests(self, now: float) -> tuple[tuple[str, Rest], ...]:
        """Those that are not over, with the account's id."""
        return tuple(
            (standing.id, way.rest)
            for standing in self._standings.values()
            for way in standing.ways()
            if way.rest is not None and way.rest.until > now
        )

    def asked_to_rest_until(self, lease: Lease, now: float) -> float | None:
        """When an account is back that its upstream asked to rest; None when it did not, whatever else keeps it out."""
        ways = (way for way in lease.standing.ways() if way.model in ("", lease.model))
        rests = [way.rest for way in ways if way.rest is not None and way.rest.reason is not RestReason.FAILING]
        return max((rest.until for rest in rests if rest.until > now), default=None)

    def put_to_rest(self, account_id: str, rest: Rest) -> None:
        """What a restart remembers; nothing happens when the account is not here."""
        standing = self._standings.get(account_id)
        if standing is not None:
            standing.way(rest.model).rest = rest
            standing.note_state()


def _closed(left: Sequence[tuple[Standing, Hindrance]], model: str) -> Closed:
    one, soonest = min(left, key=lambda each: each[1].until)
    reasons = {hindrance.reason for _, hindrance in left}
    reason = next((each for each in _UNTIL_A_LEASE_IS_BACK if each in reasons), soonest.reason)
    is_well = next(one.gates(model), None) is None
    paced = one.account if soonest.reason == "paced" and is_well else None
    return Closed(soonest.until, reason, soonest.detail, soonest.rest, paced)
