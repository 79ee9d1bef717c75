"""What a refresh leaves in an account, whether it went well or not.

Pure. Refuses to know how the refresh was made. No function here ever takes a token away: an account that fails keeps
everything it had.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from iflow_cli_proxy.core.errors import (
    ConnectionLost,
    CutOff,
    GatewayError,
    LoginRequired,
    Malformed,
    Revoked,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.core.secret import hide
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, Tokens
from iflow_cli_proxy.providers.cleaning import clean_message
from iflow_cli_proxy.providers.signin import Profile, RefreshPolicy
from iflow_cli_proxy.signin.timing import lacks_profile

_PERMANENT: Final = (LoginRequired, Revoked)
_NO_ANSWER: Final = (Unreachable, TlsFailed, ConnectionLost, TimedOut, CutOff)
"""Says something about the way there and nothing about the sign-in."""
_FEWEST_FAILURES: Final = 20
"""Before an account is given up: a clock that jumps by a day makes one failure look a day old."""
_MALFORMED_IN_A_ROW: Final = 3
_SECONDS_A_DAY: Final = 86_400.0


def renewed(account: SavedAccount, tokens: Tokens, *, now: float, awaits_profile: bool) -> SavedAccount:
    """With new tokens; `awaits_profile` when the API takes a key that has still to be asked for."""
    fresh = replace(
        account,
        tokens=tokens,
        base_url=tokens.base_url or account.base_url,
        refreshed_at=now,
        updated_at=now,
        failing_since=now if awaits_profile else None,
        # A key that no refresh brings must not make each pause the first one again.
        refresh_failures=account.refresh_failures if awaits_profile and lacks_profile(account) else 0,
        last_error="",
        last_error_at=None,
        state=AccountState.OK if account.state is AccountState.NEEDS_LOGIN else account.state,
    )
    is_news = not awaits_profile and fresh.bearer != account.bearer
    return replace(fresh, is_refused=False) if is_news else fresh


def completed(account: SavedAccount, profile: Profile, *, now: float) -> SavedAccount:
    """With the key that belongs to its tokens. The label stays: people may have chosen it."""
    is_refused = account.is_refused and profile.api_key == account.api_key
    return replace(
        account,
        state=AccountState.OK if account.state is AccountState.NEEDS_LOGIN and not is_refused else account.state,
        api_key=profile.api_key,
        api_key_expires_at=None,  # of the old one; of this nobody has said
        user_id=account.user_id or profile.user_id or profile.label,
        updated_at=now,
        failing_since=None,
        refresh_failures=0,
        last_error="",
        last_error_at=None,
        is_refused=is_refused,
    )


def failed(account: SavedAccount, error: GatewayError, policy: RefreshPolicy, *, now: float) -> SavedAccount:
    """After a refresh that brought nothing.

    An account that is given up for its many failures keeps `failing_since`, one that was refused does not: the former
    may come back by itself (`timing.is_given_up`). Why a sign-in is needed is not forgotten over a later failure.
    """
    noted = replace(account, refresh_failures=account.refresh_failures + 1, last_error_at=now, updated_at=now)
    message = told(error, account)
    ended = AccountState.DISABLED if account.state is AccountState.DISABLED else AccountState.NEEDS_LOGIN
    if is_permanent(error):
        return replace(noted, state=ended, failing_since=None, last_error=message)
    if account.state is AccountState.NEEDS_LOGIN:
        return noted
    # A machine without a network learns nothing about its sign-in: the time that counts starts again.
    since = now if account.failing_since is None or isinstance(error, _NO_ANSWER) else account.failing_since
    noted = replace(noted, failing_since=since)
    if isinstance(error, Malformed) and noted.refresh_failures >= _MALFORMED_IN_A_ROW:
        message = f"{message} The service may be gone."
    if now - since < policy.gives_up_after_s or noted.refresh_failures < _FEWEST_FAILURES:
        return replace(noted, last_error=message)
    return replace(noted, state=ended, last_error=f"Every refresh failed for {_days(now - since)}. {message}")


def is_permanent(error: GatewayError) -> bool:
    """Whether the same refresh token never works again. One that a setting is blamed for works when that is mended."""
    return isinstance(error, _PERMANENT) and error.param is None


def without_profile(account: SavedAccount, error: GatewayError, *, now: float) -> SavedAccount:
    """After new tokens came and the key that belongs to them did not: the old key goes on, and is asked for later."""
    assert lacks_profile(account)
    return replace(
        account,
        refresh_failures=account.refresh_failures + 1,
        last_error=f"The sign-in was refreshed, but its API key could not be asked for. {told(error, account)}",
        last_error_at=now,
        updated_at=now,
    )


def told(error: GatewayError, account: SavedAccount) -> str:
    """What went wrong, as one line that may be kept and shown: none of this account's secrets is in it."""
    text = error.message
    secrets = [
        account.api_key,
        *((account.tokens.access_token, account.tokens.refresh_token) if account.tokens else ()),
    ]
    for secret in secrets:
        text = hide(text, secret.reveal())
    return clean_message(text) or f"The refresh failed ({type(error).__name__})."


def with_credential_of(account: SavedAccount, newer: SavedAccount) -> SavedAccount:
    """`account` as it lies in its place, with what a refresh that could not be written has brought since."""
    return replace(
        newer,
        label=account.label,
        state=account.state if account.state is AccountState.DISABLED else newer.state,
        last_used_at=account.last_used_at,
        request_count=account.request_count,
        rests_until=account.rests_until,
        extras=account.extras,
    )


def _days(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.0f} hours" if seconds < 2 * _SECONDS_A_DAY else f"{hours / 24:.0f} days"
