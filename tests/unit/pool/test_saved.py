"""What follows from the facts of a kept account at a given moment."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens, disabled, enabled
from tests.support.saved_accounts import full_account

NOW = 1_700_000_000.0

KEYED = SavedAccount(
    id="k", provider="p", label="key", auth_type=AuthType.API_KEY, api_key=Secret("sk-0123456789abcdef")
)
SIGNED_IN = SavedAccount(
    id="o", provider="p", label="person", auth_type=AuthType.OAUTH,
    tokens=Tokens(access_token=Secret("at-0123456789"), refresh_token=Secret("rt-0123456789"), expires_at=NOW + 60),
)  # fmt: skip
BOTH = replace(SIGNED_IN, api_key=KEYED.api_key, api_key_expires_at=NOW + 3600)


def test_the_bearer_is_the_api_key_where_there_is_one_and_else_the_access_token() -> None:
    assert KEYED.bearer.reveal() == "sk-0123456789abcdef"
    assert SIGNED_IN.bearer.reveal() == "at-0123456789"
    assert BOTH.bearer == KEYED.bearer
    assert not replace(KEYED, api_key=Secret()).bearer


def test_the_bearers_end_is_that_of_what_goes_out() -> None:
    assert KEYED.bearer_expires_at == inf
    assert SIGNED_IN.bearer_expires_at == NOW + 60
    assert BOTH.bearer_expires_at == NOW + 3600
    assert replace(KEYED, api_key=Secret()).bearer_expires_at == inf


@pytest.mark.parametrize(
    ("account", "usable"),
    [
        (KEYED, True),
        (replace(KEYED, state=AccountState.DISABLED), False),
        (replace(KEYED, is_refused=True), False),
        (replace(KEYED, api_key=Secret()), False),
        (replace(KEYED, state=AccountState.COOLING), True),
        (SIGNED_IN, True),
        (replace(SIGNED_IN, state=AccountState.NEEDS_LOGIN), True),
        (BOTH, True),
    ],
)
def test_an_account_is_usable_while_its_bearer_may_work(account: SavedAccount, usable: bool) -> None:
    assert account.is_usable(NOW) is usable


def test_an_expired_bearer_is_usable_as_long_as_a_refresh_may_bring_another() -> None:
    later = NOW + 3601

    assert SIGNED_IN.is_usable(later)
    assert not replace(SIGNED_IN, state=AccountState.NEEDS_LOGIN).is_usable(later)
    assert not replace(BOTH, tokens=None).is_usable(later)


def test_nothing_secret_is_in_the_repr() -> None:
    assert "0123456789" not in repr(BOTH)


# --- switched on, switched off -------------------------------------------------------------------------------------


def test_enabling_clears_every_mark_and_nothing_else() -> None:
    before = full_account()

    after = enabled(before, now=1_700_000_000.0)

    assert after == replace(
        before,
        state=AccountState.OK,
        enabled_at=1_700_000_000.0,
        is_refused=False,
        rests_until=None,
        rests_model="",
        rest_reason="",
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
