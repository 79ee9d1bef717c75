"""When a second attempt is allowed, and what is told when none helped (RELIABILITY R1).

Pure: instants and chance are handed in. Refuses to know how an attempt is made.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.core.errors import (
    Blame,
    CapacityError,
    ConnectTimedOut,
    CredentialError,
    GatewayError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Retry,
)
from iflow_cli_proxy.pool.account import Account

_LONGEST_BACKOFF_S: Final = 8.0
_LONGEST_SLEEP_S: Final = 2.0
"""Nobody sleeps longer than this inside a request; the client is told to come back instead."""

_MENDED_ON_THIS_ROUTE: Final = frozenset({Retry.SAME, Retry.OTHER_ACCOUNT})
_NEEDS_OTHER_ACCOUNT: Final = (CredentialError, QuotaExhausted, ConnectTimedOut)
"""A second try on the same account would only hear the same again, or wait as long again."""
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
    """What each account that was tried, by its id, said last."""


def pause_before_retry(
    error: GatewayError, tries: Tries, rules: RetryRules, *, has_other_account: bool, chance: float
) -> float | None:
    """Seconds to wait before one more attempt, None when there must not be one.

    `chance` is uniform in [0, 1). Says nothing about the commit point, the deadline and the budget.
    """
    if error.retry not in _MENDED_ON_THIS_ROUTE or tries.attempts >= rules.max_attempts:
        return None
    if error.is_ambiguous and (tries.ambiguous or tries.forbids_ambiguous or not rules.allows_ambiguous):
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


def _is_worth_it(error: GatewayError, rules: RetryRules) -> bool:
    """A refused key is about its account alone, whatever status an upstream has for that."""
    if error.status is None or isinstance(error, CredentialError):
        return True
    return _SAME_MEANING.get(error.status, error.status) in rules.statuses


def most_useful(failures: Collection[GatewayError]) -> GatewayError:
    """The one to tell of several: what the client can mend, then when to come back, then what an upstream said last.

    `failures` are in the order they happened, one for each account; the wait is that of the account free soonest.
    """
    best = max(reversed(list(failures)), key=_usefulness)
    waits = [each.retry_after_s for each in failures if each.retry_after_s is not None]
    if best.retry_after_s is not None:
        best.retry_after_s = min(waits)
    return best


def _usefulness(error: GatewayError) -> int:
    if error.blame is Blame.CLIENT:
        return 4
    if isinstance(error, RateLimited | QuotaExhausted | Overloaded):
        return 3
    if isinstance(error, CredentialError):
        return 1
    return 0 if isinstance(error, CapacityError) else 2


class RetryBudget:
    """Retries may be a fifth of first attempts, never more: a dying upstream is not hammered.

    A bucket of at most 10 that gains 0.2 with every first attempt. Where no retry was made for a second one is lent, so
    that an idle system has its retry; a storm pays the loan back before it gets more.
    """

    _GAIN: Final = 0.2
    _CAP: Final = 10.0
    _LEND_EVERY_S: Final = 1.0

    def __init__(self) -> None:
        self._tokens = 0.0
        self._retried_at = float("-inf")

    def first_attempt(self) -> None:
        self._tokens = min(self._CAP, self._tokens + self._GAIN)

    def allows_retry(self, now: float) -> bool:
        """Take one retry out of the bucket if there is one; `now` is monotonic seconds."""
        if self._tokens < 1.0 and now - self._retried_at < self._LEND_EVERY_S:
            return False
        self._tokens = max(-1.0, self._tokens - 1.0)
        self._retried_at = now
        return True
