"""Who may be called now: every account, what is true of each, and how leases on them went.

Pure bookkeeping: it never waits and reads no clock; instants are monotonic seconds handed in as `now`. Waiting for room
is `gateway/turnstile.py`. Knows the order of decisions; how one of several free accounts is picked is `selection.py`,
what an error means `outcome.py`, what keeps an account out `standing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from math import inf
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import Blame, GatewayError
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.outcome import Outcome, effect_of
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.selection import Selector
from iflow_cli_proxy.pool.standing import Hindrance, Reason, Standing, host_of
from iflow_cli_proxy.pool.wish import Wish

_UNTIL_A_LEASE_IS_BACK: Final[tuple[Reason, ...]] = ("busy", "trial")


class Lease(msgspec.Struct, frozen=True, eq=False):
    """The right to use an account for one attempt; give it back exactly once."""

    account: Account
    standing: Standing
    model: str = ""
    is_trial: bool = False
    """It decides whether others may follow."""
    ticket: int = 0
    """No two leases of a pool have the same."""
    taken_at: float = 0.0
    tokens: int = 0
    """As estimated when it was taken."""


class Closed(msgspec.Struct, frozen=True):
    """No account can be leased now."""

    until: float
    """The earliest moment at which asking again may help; `inf` when only a lease that comes back can tell, or nobody.

    With `busy` and `trial` it is worth asking earlier, whenever a lease has come back.
    """
    reason: Reason
    detail: str = ""
    """For people; of the account that is free soonest."""
    rest: RestReason | None = None
    """Why that one rests, where it does."""


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

    def vouch(self, lease: Lease, now: float) -> None:
        """Content has come: if the lease was a trial it has gone well, although the answer is not at its end yet."""
        if lease.is_trial:
            self._pass_gates(lease, now)

    def give_back(self, lease: Lease, outcome: Outcome, now: float) -> None:
        standing, error = lease.standing, outcome.error
        standing.in_flight -= 1
        self._settle(lease, outcome)
        if outcome.headers:
            self._learn(lease, outcome, now)
        if error is not None:
            self._went_wrong(lease, error, now)
        elif outcome.is_success:
            self._went_well(lease, now)
        if lease.is_trial:
            standing.release(lease.ticket, lease.model)

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
        left = [hindrance for one, hindrance in found if hindrance is not None and one.id not in wish.tried]
        if not left:
            return Closed(inf, "tried", "every account has been tried")
        return _closed(left)

    def _lend(self, standing: Standing, wish: Wish, now: float) -> Lease:
        self._tickets = standing.turn = ticket = self._tickets + 1
        standing.in_flight += 1
        standing.requests += 1
        standing.use(wish.model, now, wish.tokens)
        is_trial = False
        if standing.is_troubled or not standing.host.is_closed:
            for gate in standing.gates(wish.model):
                gate.trial, is_trial = ticket, True
        return Lease(standing.account, standing, wish.model, is_trial, ticket, now, wish.tokens)

    # --- what comes of them ---------------------------------------------------------------------------------------

    def _settle(self, lease: Lease, outcome: Outcome) -> None:
        if outcome.is_unsent:
            lease.standing.correct(lease.model, lease.taken_at, -1, -lease.tokens)
        elif outcome.tokens and outcome.tokens != lease.tokens:
            lease.standing.correct(lease.model, lease.taken_at, 0, outcome.tokens - lease.tokens)

    def _learn(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """The settings' own limits hold whatever an upstream says."""
        account, standing = lease.account, lease.standing
        units = [unit for unit, limit in (("requests", account.rpm), ("tokens", account.tpm)) if not limit]
        standing.way(lease.model).pace.learn(outcome.headers, now, units)  # type: ignore[arg-type]
        standing.note_state()

    def _went_well(self, lease: Lease, now: float) -> None:
        standing = lease.standing
        standing.failures_in_a_row, standing.last_error = 0, ""
        standing.breaker(lease.model, self.rules).went_well(lease.ticket, now, self.rules.breaker)
        standing.host.went_well(lease.ticket, now, self.rules.breaker)
        standing.way(lease.model).went_well(lease.ticket, now)
        if standing.is_troubled:
            self._pass_gates(lease, now)

    def _pass_gates(self, lease: Lease, now: float) -> None:
        """A good answer, for what was in its way."""
        standing = lease.standing
        for gate in tuple(standing.gates(lease.model)):
            if isinstance(gate, Breaker):
                gate.went_well(lease.ticket, now, self.rules.breaker)
            else:
                gate.went_well(lease.ticket, now)
        standing.note_state()

    def _went_wrong(self, lease: Lease, error: GatewayError, now: float) -> None:
        standing, effect = lease.standing, effect_of(error)
        if error.blame in (Blame.ACCOUNT, Blame.UPSTREAM):
            standing.failures_in_a_row += 1
            standing.last_error = error.kind
        is_fault = effect.is_fault
        if effect.host == "fails":
            is_fault = standing.note_lost(now)
            standing.host.went_wrong(lease.ticket, now, self.rules.breaker, self._chance)
        elif effect.host == "lives":
            standing.host.went_well(lease.ticket, now, self.rules.breaker)
        if is_fault:
            standing.breaker(lease.model, self.rules).went_wrong(lease.ticket, now, self.rules.breaker, self._chance)
            standing.way(lease.model).went_wrong(lease.ticket, now, standing.id, self.rules, self._chance())
        if effect.rest is not None and not (effect.needs_hint and error.retry_after_s is None):
            way = standing.way("" if effect.is_whole_account else lease.model)
            if effect.rest is RestReason.RATE and error.retry_after_s is None:
                way.pace.was_refused(now)
            way.was_told_to_rest(effect.rest, error, now, standing.id, self.rules, self._chance())
        if is_fault or effect.rest is not None:
            standing.note_state()

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

    def put_to_rest(self, account_id: str, rest: Rest) -> None:
        """What a restart remembers; nothing happens when the account is not here."""
        standing = self._standings.get(account_id)
        if standing is not None:
            standing.way(rest.model).rest = rest
            standing.note_state()


def _closed(left: Sequence[Hindrance]) -> Closed:
    soonest = min(left, key=lambda each: each.until)
    reasons = {each.reason for each in left}
    reason = next((each for each in _UNTIL_A_LEASE_IS_BACK if each in reasons), soonest.reason)
    return Closed(soonest.until, reason, soonest.detail, soonest.rest)
