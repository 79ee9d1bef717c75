"""Switched on, switched off."""

from __future__ import annotations

from dataclasses import replace

from iflow_cli_proxy.cli.accounts.switching import disabled, enabled
from iflow_cli_proxy.pool.saved import AccountState
from tests.support.saved_accounts import full_account


def test_enabling_clears_every_mark_and_nothing_else() -> None:
    before = full_account()

    after = enabled(before)

    assert after == replace(
        before,
        state=AccountState.OK,
        is_refused=False,
        rests_until=None,
        failing_since=None,
        refresh_failures=0,
        last_error="",
        last_error_at=None,
    )
    assert after.is_usable(1_700_000_000.0)


def test_disabling_keeps_the_story_of_what_went_wrong() -> None:
    after = disabled(full_account())

    assert (after.state, after.last_error) == (AccountState.DISABLED, "the upstream said no")
    assert not after.is_usable(1_700_000_000.0)
