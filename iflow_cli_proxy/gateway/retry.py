"""When a second attempt is allowed (RELIABILITY R1). Pure: instants and chance are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.core.errors import CapacityError, GatewayError, Retry

_LONGEST_BACKOFF_S: Final = 8.0
_LONGEST_SLEEP_S: Final = 2.0
"""Nobody sleeps longer than this inside a request; the client is told to come back instead."""


@dataclass(frozen=True, kw_only=True)
class RetryRules:
    """The `[resilience]` settings this module obeys."""

    max_attempts: int = 3
    same_account: int = 1
    """Further tries on an account that was tried already."""
    backoff_s: float = 0.2
    allows_ambiguous: bool = True


@dataclass(slots=True)
class Tries:
    """What has been tried for one request."""

    attempts: int = 0
    on_same: int = 0
    ambiguous: int = 0
    forbids_ambiguous: bool = False
    """The client said `x-no-retry`."""


def pause_before_retry(
    error: GatewayError, tries: Tries, rules: RetryRules, *, has_other_account: bool, chance: float
) -> float | None:
    """Seconds to wait before one more attempt, None when there must not be one.

    `chance` is uniform in [0, 1). Says nothing about the commit point and the budget: the caller asks those first.
    """
    if error.retry is Retry.NEVER or tries.attempts >= rules.max_attempts:
        return None
    if error.is_ambiguous and (tries.ambiguous or tries.forbids_ambiguous or not rules.allows_ambiguous):
        return None
    if has_other_account and error.retry in (Retry.OTHER_ACCOUNT, Retry.OTHER_ROUTE):
        return 0.0
    if tries.on_same >= rules.same_account:
        return None
    if isinstance(error, CapacityError) and (error.retry_after_s or 0) > _LONGEST_SLEEP_S:
        return None
    backoff_s = chance * min(_LONGEST_BACKOFF_S, rules.backoff_s * 2.0**tries.on_same)
    return max(backoff_s, error.retry_after_s or 0.0)


class RetryBudget:
    """Retries may be a fifth of first attempts, never more: a dying upstream is not hammered.

    A bucket of at most 10 that gains 0.2 with every first attempt, and one a second for idle systems.
    """

    _GAIN: Final = 0.2
    _CAP: Final = 10.0

    def __init__(self) -> None:
        self._tokens = self._CAP
        self._idle_grant_at = float("-inf")

    def first_attempt(self) -> None:
        self._tokens = min(self._CAP, self._tokens + self._GAIN)

    def allows_retry(self, now: float) -> bool:
        """Take one retry out of the bucket if there is one; `now` is monotonic seconds."""
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        if now - self._idle_grant_at >= 1.0:
            self._idle_grant_at = now
            return True
        return False
