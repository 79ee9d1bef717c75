"""When an account should be refreshed, and for how long nobody may ask again.

Pure: instants and chance are handed in. Refuses to know how a refresh is made and what it brings.

All arithmetic is on the wall clock, since it must hold across processes and restarts. An instant in the future is the
mark of a clock that was set back: it then says nothing, and callers have
monotonic intervals of their own (F57).
"""

from __future__ import annotations

from math import inf
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError, QuotaExhausted, RateLimited
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.providers.signin import RefreshPolicy, token_ends_at

SKEW_S: Final = 60.0
"""How far the clocks of honest machines differ."""
_SPARE_PART: Final = 0.1
"""Of its life that a token has left, at the least, when it is refreshed (I57)."""
_EARLIEST_PART: Final = 2 / 3
_SHORT_LIVED_PART: Final = 1 / 4
_RATE_PAUSE_S: Final = 300.0
_LONGEST_PROMISE_S: Final = 3600.0
_GIVEN_UP_PAUSE_S: Final = 86_400.0


def due(account: SavedAccount, policy: RefreshPolicy, *, now: float, chance: float) -> float | None:
    """Seconds until it should be refreshed in the background, 0 for now, None for never.

    `chance` is this account's own draw from [0, 1); 1 answers for the earliest draw there could be.
    """
    if account.state is AccountState.DISABLED or not account.can_refresh:
        return None
    wait_s = max(wanted_in_s(account, policy, now=now, chance=chance), rest_s(account, policy, now=now))
    return None if wait_s == inf else wait_s


def wanted_in_s(account: SavedAccount, policy: RefreshPolicy, *, now: float, chance: float) -> float:
    """Seconds until a refresh is useful, 0 for now; says nothing about whether one may be made.

    A policy that would begin in the first third of a token's life was made for tokens that live longer: following it
    would refresh without end. Such tokens are refreshed at three quarters of their life instead.
    """
    expires_at = _expires_at(account)
    if lacks_profile(account) or expires_at is None:
        return 0.0
    jitter_s = policy.jitter_s * (2 * chance - 1)
    if account.refreshed_at is None or account.refreshed_at >= expires_at:
        return max(0.0, expires_at - max(SKEW_S, policy.ahead_s + jitter_s) - now)
    lifetime_s = expires_at - account.refreshed_at
    ahead_s = max(SKEW_S, max(policy.ahead_s, _SPARE_PART * lifetime_s) + jitter_s)
    if ahead_s > _EARLIEST_PART * lifetime_s:
        ahead_s = _SHORT_LIVED_PART * lifetime_s
    return max(0.0, expires_at - ahead_s - now)


def rest_s(account: SavedAccount, policy: RefreshPolicy, *, now: float) -> float:
    """How much longer nobody may ask: after failures a growing pause, after a success the least interval.

    For ever where the server has said that the sign-in is over; a day where an account was only given up.
    """
    if account.state is AccountState.NEEDS_LOGIN:
        return max(0.0, _GIVEN_UP_PAUSE_S - _passed_s(account.last_error_at, now)) if is_given_up(account) else inf
    if account.refresh_failures:
        return max(0.0, pause_s(account.refresh_failures, policy) - _passed_s(account.last_error_at, now))
    if lacks_profile(account):
        return 0.0
    return max(0.0, least_interval_s(account, policy) - _passed_s(account.refreshed_at, now))


def least_interval_s(account: SavedAccount, policy: RefreshPolicy) -> float:
    """The policy's, but less where a token does not even live so long."""
    expires_at = account.tokens.expires_at if account.tokens else None
    if account.refreshed_at is None or expires_at is None:
        return policy.least_interval_s
    lifetime_s = expires_at - account.refreshed_at
    return min(policy.least_interval_s, max(SKEW_S, (1 - _SHORT_LIVED_PART) * lifetime_s))


def pause_s(failures: int, policy: RefreshPolicy, error: GatewayError | None = None) -> float:
    """After so many failures in a row, of which `error` is the last."""
    doublings = min(max(failures, 1) - 1, 30)
    grown_s = min(policy.longest_backoff_s, policy.backoff_s * 2.0**doublings)
    if not isinstance(error, RateLimited | QuotaExhausted):
        return grown_s
    return max(grown_s, _RATE_PAUSE_S, min(error.retry_after_s or 0.0, _LONGEST_PROMISE_S))


def is_fresh(account: SavedAccount, *, now: float, within_s: float) -> bool:
    """Whether a refresh has brought new tokens so recently."""
    return _passed_s(account.refreshed_at, now) < within_s


def is_given_up(account: SavedAccount) -> bool:
    """Whether a person is asked for only because every refresh failed for so long: no server has refused the sign-in,
    and when it answers again the account comes back."""
    return account.state is AccountState.NEEDS_LOGIN and account.failing_since is not None


def lacks_profile(account: SavedAccount) -> bool:
    """Whether the last refresh brought tokens, and the key that belongs to them has still to be asked for.

    Told by the instants alone: the account is failing since the very moment of a refresh that went well.
    """
    return account.failing_since is not None and account.failing_since == account.refreshed_at


def is_only_profile_missing(account: SavedAccount, *, now: float) -> bool:
    """Whether asking for the key will do, since the access token still works."""
    expires_at = account.tokens.expires_at if account.tokens else None
    return lacks_profile(account) and (expires_at is None or expires_at > now)


def _expires_at(account: SavedAccount) -> float | None:
    """When the access token or the API key ends, whichever is first; None when that may be any moment."""
    expires_at = token_ends_at(account)
    if expires_at is None:
        return None
    key_ends_at = account.api_key_expires_at if account.api_key else None
    return expires_at if key_ends_at is None else min(expires_at, key_ends_at)


def _passed_s(since: float | None, now: float) -> float:
    return now - since if since is not None and since <= now else inf
