"""What `token enable` and `token disable` make of an account."""

from __future__ import annotations

from dataclasses import replace

from iflow_cli_proxy.pool.saved import AccountState, SavedAccount


def enabled(account: SavedAccount) -> SavedAccount:
    """In use again, with every mark gone that kept it out: the person knows better."""
    return replace(
        account,
        state=AccountState.OK,
        is_refused=False,
        rests_until=None,
        failing_since=None,
        refresh_failures=0,
        last_error="",
        last_error_at=None,
    )


def disabled(account: SavedAccount) -> SavedAccount:
    return replace(account, state=AccountState.DISABLED, rests_until=None)
