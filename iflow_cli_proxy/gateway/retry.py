"""When a second attempt is allowed and on which route, and what has been tried so far (RELIABILITY R1).

Pure: instants and chance are handed in. Refuses to know how an attempt is made, and what is told when none helped
(`telling.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import (
    Blocked,
    Busy,
    ConnectTimedOut,
    CredentialError,
    Expired,
    GatewayError,
    LoginRequired,
    NoAccountAvailable,
    QuotaExhausted,
    Retry,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.gateway.telling import is_unknown, most_useful
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.routing.resolve import Route, RoutingTable, larger_context

_LONGEST_BACKOFF_S: Final = 8.0
_LONGEST_SLEEP_S: Final = 2.0
"""Nobody sleeps longer than this inside a request; the client is told to come back instead."""

_MENDED_ON_THIS_ROUTE: Final = frozenset({Retry.SAME, Retry.OTHER_ACCOUNT})
_NEEDS_OTHER_ACCOUNT: Final = (CredentialError, QuotaExhausted, ConnectTimedOut)
"""A second try on the same account would only hear the same again, or wait as long again."""
_NO_ROOM: Final = (NoAccountAvailable, Busy)
"""Of this route; another has its own accounts and places."""
_HOSTS_OWN: Final = (Unreachable, TlsFailed)
_ACCOUNTS_OWN: Final = (Expired, LoginRequired, Blocked)
"""They say the same of every model."""
_SAME_MEANING: Final = {408: 503, 425: 503, 529: 503, 402: 429}
"""Statuses that the setting means although it does not name them."""


@dataclass(frozen=True, kw_only=True)
class RetryRules:
    """The `[resilience]` settings this module obeys."""

    max_attempts: int = 3
    same_account: int = 1
    """Further tries on an account that was tried already."""
    backoff_s: float = 0.2
    allows_ambiguous: bool = True
    statuses: Collection[int] = frozenset({429, 500, 502, 503, 504})
    """Answers worth another try; a failure without a status is judged by its kind alone."""


@dataclass(slots=True, kw_only=True)
class Tries:
    """What has been tried for one request."""

    forbids_ambiguous: bool = False
    """The client said `x-no-retry`."""
    attempts: int = 0
    on_same: int = 0
    ambiguous: int = 0
    account: Account | None = None
    """The one tried last, with the bearer it had then."""
    renewed: set[str] = field(default_factory=set)
    """Ids of accounts whose bearer was refused and asked to be renewed."""
    renewed_now: str = ""
    """The one that has a newer bearer since, and is to be tried again first."""
    account_is_out: bool = False
    """The one tried last has left the pool."""
    failures: dict[str, GatewayError] = field(default_factory=dict)
    """What each account that was tried on this route, by its id, said last."""
    earlier: list[GatewayError] = field(default_factory=list)
    """What was said on the routes that were left, in order."""
    of_fallbacks: list[GatewayError] = field(default_factory=list)
    """Those of `earlier` that came from fallbacks."""
    outranked: list[GatewayError] = field(default_factory=list)
    """Refusals of the queue beside what an account of the same route said that might have been asked again."""
    rests: list[tuple[GatewayError, float]] = field(default_factory=list)
    """What was said by accounts that rest for it, with the monotonic second at which they are back."""
    out: set[str] = field(default_factory=set)
    """Ids of accounts that are of no use on any route."""
    repeats: bool = False
    """An account that failed on this route may be asked again: no other is at hand."""
    queued_s: float = 0.0
    """How long the request has waited for accounts."""

    @property
    def tried(self) -> frozenset[str]:
        """Ids of accounts that are not to be tried on this route (again).

        An account that failed on another route may be tried with this one's model, unless it was the account itself
        that failed.
        """
        return frozenset(self.failures) | self.out

    def leave_route(self, route: Route, error: GatewayError, *, was_sent: bool = True) -> None:
        """Go on from `route`, where `error` was met last, by an upstream if it `was_sent`; on the next one accounts are
        tried afresh."""
        self._keep(route, error, was_sent=was_sent)
        self.out.update(id for id, said in self.failures.items() if isinstance(said, _ACCOUNTS_OWN))
        self.failures.clear()
        self.on_same = 0
        self.repeats = False

    def to_tell(self, route: Route, error: GatewayError, *, was_sent: bool = True, now: float = 0.0) -> GatewayError:
        """The most useful of all that was said, `error` on `route` being the last, with rests as they are."""
        self._keep(route, error, was_sent=was_sent)
        for said, until in self.rests:
            said.retry_after_s = max(0.0, until - now)
        return most_useful(self.earlier, of_fallbacks=self.of_fallbacks, outranked=self.outranked)

    def _keep(self, route: Route, error: GatewayError, *, was_sent: bool) -> None:
        said = [*self.failures.values()]
        if not was_sent and any(not isinstance(each, _NEEDS_OTHER_ACCOUNT) for each in said):
            self.outranked.append(error)
        if not any(error is each for each in said):
            said.append(error)
        self.earlier += said
        if route.is_fallback:
            self.of_fallbacks += said


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """One more attempt."""

    pause_s: float = 0.0
    changes_route: bool = False
    """On the first of `routes_after`; else on the same route, with another account where one is left."""
    is_free: bool = False
    """Nobody did any work, so the retry budget is not asked: a thousand prompts that are too long are no storm."""


def next_try(
    error: GatewayError,
    tries: Tries,
    rules: RetryRules,
    *,
    has_other_account: bool,
    has_other_route: bool,
    chance: float,
) -> Next | None:
    """What follows a failure, None when nothing may.

    `has_other_route` says whether `routes_after` has any; otherwise as `pause_before_retry`. An error that was raised
    before an upstream was asked (no account, no place in the queue) only ever changes the route.
    """
    if has_other_route and _leaves_route(error, tries, rules, has_other_account=has_other_account):
        return Next(changes_route=True, is_free=_is_refusal_of_route(error))
    pause_s = pause_before_retry(error, tries, rules, has_other_account=has_other_account, chance=chance)
    return None if pause_s is None else Next(pause_s=pause_s)


def routes_after(error: GatewayError, left: tuple[Route, ...], table: RoutingTable) -> tuple[Route, ...]:
    """The routes that may follow `left[0]`, on which `error` was met, and that then are what is left.

    After a prompt that was too long these are the larger windows alone, after a host that cannot be reached the other
    providers: the rest would only say the same again.
    """
    if error.retry is Retry.OTHER_ROUTE:
        return larger_context(left, left[0], table)
    if isinstance(error, _HOSTS_OWN):
        return tuple(route for route in left[1:] if route.provider != left[0].provider)
    return left[1:]


def pause_before_retry(
    error: GatewayError, tries: Tries, rules: RetryRules, *, has_other_account: bool, chance: float
) -> float | None:
    """Seconds to wait before one more attempt on this route, None when there must not be one.

    `chance` is uniform in [0, 1). Says nothing about the commit point, the deadline and the budget.
    """
    if error.retry not in _MENDED_ON_THIS_ROUTE or not _allows_another(error, tries, rules):
        return None
    if not _is_worth_it(error, rules):
        return None
    if has_other_account:
        return 0.0
    if tries.on_same >= rules.same_account or isinstance(error, _NEEDS_OTHER_ACCOUNT):
        return None
    if (error.retry_after_s or 0.0) > _LONGEST_SLEEP_S:
        return None
    backoff_s = chance * min(_LONGEST_BACKOFF_S, rules.backoff_s * 2.0**tries.on_same)
    return max(backoff_s, error.retry_after_s or 0.0)


def _allows_another(error: GatewayError, tries: Tries, rules: RetryRules) -> bool:
    if tries.attempts >= rules.max_attempts:
        return False
    return not error.is_ambiguous or not (tries.ambiguous or tries.forbids_ambiguous or not rules.allows_ambiguous)


def _leaves_route(error: GatewayError, tries: Tries, rules: RetryRules, *, has_other_account: bool) -> bool:
    """Whether the next route is the place for one more attempt.

    Another account of this route goes first where it may help, but the last attempt that a failure leaves is the other
    route's, so that a chain is reached however many accounts there are.
    """
    if not _allows_another(error, tries, rules):
        return False
    if _is_refusal_of_route(error) or isinstance(error, TlsFailed):
        return True
    if error.retry not in _MENDED_ON_THIS_ROUTE or not _is_worth_it(error, rules):
        return False
    is_last = error.is_ambiguous or tries.attempts + 1 >= rules.max_attempts
    return is_last or not has_other_account or isinstance(error, ConnectTimedOut)


def _is_refusal_of_route(error: GatewayError) -> bool:
    """Every account of the route would meet the same, and nobody did any work."""
    return is_unknown(error) or error.retry is Retry.OTHER_ROUTE or isinstance(error, _NO_ROOM)


def _is_worth_it(error: GatewayError, rules: RetryRules) -> bool:
    """A refused key is about its account alone, whatever status an upstream has for that."""
    if error.status is None or isinstance(error, CredentialError):
        return True
    return _SAME_MEANING.get(error.status, error.status) in rules.statuses


class RetryBudget:
    """Retries may be a fifth of first attempts, never more: a dying upstream is not hammered.

    A bucket of at most 10 that gains 0.2 with every first attempt. The first gains are paid in advance, so that the
    first requests of a gateway that meet a bad account together find the good ones. Where no retry was made for a
    second one is lent, so that an idle system has its retry; a storm pays the loan back before it gets more.
    """

    _GAIN: Final = 0.2
    _CAP: Final = 10.0
    _ADVANCE: Final = 3.0
    _LEND_EVERY_S: Final = 1.0

    def __init__(self) -> None:
        self._tokens = self._ADVANCE
        self._owed = self._ADVANCE
        self._retried_at = float("-inf")

    def first_attempt(self) -> None:
        if self._owed > 0.0:
            self._owed -= self._GAIN
            return
        self._tokens = min(self._CAP, self._tokens + self._GAIN)

    def allows_retry(self, now: float) -> bool:
        """Take one retry out of the bucket if there is one; `now` is monotonic seconds."""
        if self._tokens < 1.0 and now - self._retried_at < self._LEND_EVERY_S:
            return False
        self._tokens = max(-1.0, self._tokens - 1.0)
        self._retried_at = now
        return True
