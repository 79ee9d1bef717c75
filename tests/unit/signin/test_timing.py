from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import Overloaded, QuotaExhausted, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin import timing
from iflow_cli_proxy.signin.timing import due, is_fresh, lacks_profile, least_interval_s, pause_s, rest_s
from tests.support.saved_accounts import saved_account

NOW = 1_700_000_000.0
HOUR, DAY = 3600.0, 86_400.0
QWEN = RefreshPolicy()
IFLOW = RefreshPolicy(ahead_s=DAY - 900, jitter_s=900.0, hard_ahead_s=0.0)


def account(*, life_s: float | None = 6 * HOUR, age_s: float | None = HOUR, **changes: Any) -> SavedAccount:
    """With tokens that were refreshed `age_s` ago and live `life_s` from then; without an age nobody knows it."""
    made = saved_account(api_key=Secret(), **changes)
    assert made.tokens is not None
    expires_at = None if life_s is None else NOW - (age_s or 0.0) + life_s
    tokens = replace(made.tokens, expires_at=expires_at)
    return replace(made, tokens=tokens, refreshed_at=None if age_s is None else NOW - age_s)


def wait_s(one: SavedAccount, policy: RefreshPolicy = QWEN, *, chance: float = 0.5, now: float = NOW) -> float:
    found = due(one, policy, now=now, chance=chance)
    assert found is not None
    return found


def without_refresh_token() -> SavedAccount:
    one = account()
    assert one.tokens is not None
    return replace(one, tokens=replace(one.tokens, refresh_token=Secret()))


# --- never --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        account(state=AccountState.DISABLED, life_s=0),
        account(state=AccountState.NEEDS_LOGIN, life_s=0),
        without_refresh_token(),
        saved_account(tokens=None),
    ],
    ids=["disabled", "needs login", "no refresh token", "an API key"],
)
def test_some_accounts_are_never_due(one: SavedAccount) -> None:
    assert due(one, QWEN, now=NOW + DAY, chance=0.5) is None


def test_an_account_that_was_only_given_up_is_due_once_a_day() -> None:
    one = account(state=AccountState.NEEDS_LOGIN, failing_since=NOW - 2 * DAY, refresh_failures=99, last_error_at=NOW)

    assert wait_s(one, now=NOW + HOUR) == DAY - HOUR
    assert wait_s(one, now=NOW + DAY) == 0
    assert rest_s(replace(one, failing_since=None), QWEN, now=NOW + DAY) == inf


# --- when ---------------------------------------------------------------------------------------------------------


def test_an_account_is_due_ahead_of_its_end_give_or_take_the_jitter() -> None:
    long_lived = account(life_s=2 * DAY, age_s=DAY - HOUR)
    policy = RefreshPolicy(ahead_s=DAY, jitter_s=1800)

    assert wait_s(long_lived, policy) == pytest.approx(HOUR)
    assert wait_s(long_lived, policy, chance=0.0) == pytest.approx(1.5 * HOUR)
    assert wait_s(long_lived, policy, chance=1.0) == pytest.approx(0.5 * HOUR)


def test_iflows_two_day_tokens_are_refreshed_a_day_ahead_whatever_the_draw() -> None:
    fresh = account(life_s=2 * DAY, age_s=0)

    for chance in (0.0, 0.5, 1.0):
        assert DAY <= wait_s(fresh, IFLOW, chance=chance) <= DAY + 1800


def test_i57_a_refresh_comes_a_tenth_of_the_life_ahead_at_least_and_never_less_than_a_minute() -> None:
    policy = RefreshPolicy(ahead_s=10, jitter_s=0)

    assert wait_s(account(life_s=DAY, age_s=0), policy) == pytest.approx(0.9 * DAY)
    assert wait_s(account(life_s=HOUR, age_s=None), policy) == pytest.approx(HOUR - 60)


def test_an_expired_token_is_due_now() -> None:
    assert wait_s(account(life_s=HOUR, age_s=5 * DAY)) == 0
    assert wait_s(account(life_s=-DAY, age_s=None)) == 0


def test_tokens_whose_end_nobody_knows_are_refreshed_now_and_then_as_if_they_lived_an_hour() -> None:
    assert wait_s(account(life_s=None, age_s=None)) == 0
    assert 1800 < wait_s(account(life_s=None, age_s=0)) < HOUR
    assert wait_s(account(life_s=None, age_s=HOUR)) == 0


def test_the_api_keys_end_counts_when_it_is_sooner() -> None:
    one = replace(account(life_s=2 * DAY, age_s=DAY), api_key=Secret("sk"), api_key_expires_at=NOW + HOUR)

    assert wait_s(one, IFLOW) == 0
    assert wait_s(replace(one, api_key_expires_at=NOW + 30 * DAY), IFLOW) > 0
    assert wait_s(replace(one, api_key=Secret()), IFLOW) > 0


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_short_lived_tokens_under_a_patient_policy_are_refreshed_at_three_quarters_of_their_life(chance: float) -> None:
    assert wait_s(account(life_s=600, age_s=0), IFLOW, chance=chance) == pytest.approx(450)
    assert wait_s(account(life_s=600, age_s=449), IFLOW, chance=chance) == pytest.approx(1)
    assert wait_s(account(life_s=DAY, age_s=0), IFLOW, chance=chance) == pytest.approx(0.75 * DAY)


@pytest.mark.parametrize("policy", [QWEN, IFLOW, RefreshPolicy(ahead_s=30, jitter_s=30)])
@pytest.mark.parametrize("life_s", [1, 59, 61, 90, 300, 600, 1800, HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY])
@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_no_lifetime_makes_a_storm_and_none_is_left_to_end(policy: RefreshPolicy, life_s: float, chance: float) -> None:
    """Followed for ever, each token is used for more than a quarter of its life, and replaced before its end."""
    pause = wait_s(account(life_s=life_s, age_s=0), policy, chance=chance)

    assert pause >= min(max(60, life_s / 4), policy.least_interval_s)
    assert pause < life_s or life_s <= 61


# --- not so often -------------------------------------------------------------------------------------------------


def test_after_a_success_the_least_interval_passes_first() -> None:
    one = account(life_s=HOUR, age_s=100)
    assert one.tokens is not None
    ends_soon = replace(one, api_key=Secret("sk"), api_key_expires_at=NOW + 1)

    assert wait_s(ends_soon) == pytest.approx(200)
    assert least_interval_s(account(life_s=200, age_s=0), QWEN) == pytest.approx(150)
    assert least_interval_s(account(life_s=5, age_s=0), QWEN) == 60
    assert least_interval_s(account(life_s=None), QWEN) == 300


def test_after_failures_the_pause_doubles_up_to_its_longest() -> None:
    pauses = [pause_s(failures, QWEN) for failures in range(1, 7)]

    assert pauses == [30, 60, 120, 240, 300, 300]
    assert pause_s(10_000, QWEN) == 300


def test_too_many_requests_rest_for_five_minutes_or_what_was_promised() -> None:
    assert pause_s(1, QWEN, Overloaded("x")) == 30
    assert pause_s(1, QWEN, RateLimited("x")) == 300
    assert pause_s(1, QWEN, RateLimited("x", retry_after_s=900)) == 900
    assert pause_s(1, QWEN, QuotaExhausted("x", retry_after_s=1e9)) == HOUR


def test_a_failing_account_is_due_when_its_pause_is_over() -> None:
    failing = account(life_s=HOUR, age_s=HOUR, refresh_failures=3, last_error_at=NOW - 20, failing_since=NOW - 110)

    assert wait_s(failing) == pytest.approx(100)
    assert wait_s(failing, now=NOW + 100) == 0


def test_f57_notes_from_the_future_are_no_reason_to_wait() -> None:
    failing = account(age_s=6 * HOUR, refresh_failures=9, last_error_at=NOW + DAY)
    refreshed = account(life_s=-DAY, age_s=-DAY)

    assert rest_s(failing, QWEN, now=NOW) == 0
    assert rest_s(refreshed, QWEN, now=NOW) == 0


def test_f57_a_clock_that_jumps_makes_an_account_due_once() -> None:
    one = account(life_s=6 * HOUR, age_s=0)
    assert wait_s(one, now=NOW + DAY) == 0

    assert one.tokens is not None
    tokens = replace(one.tokens, expires_at=NOW + DAY + 6 * HOUR)
    refreshed = replace(one, refreshed_at=NOW + DAY, tokens=tokens)
    assert wait_s(refreshed, now=NOW + DAY) > HOUR
    assert wait_s(refreshed, now=NOW) > HOUR  # and back


# --- the key that belongs to the tokens ---------------------------------------------------------------------------


def test_an_account_whose_profile_never_came_is_due_at_once_then_after_the_pause() -> None:
    killed_between = account(life_s=2 * DAY, age_s=5, failing_since=NOW - 5)
    refused = replace(killed_between, refresh_failures=1, last_error_at=NOW - 3)

    assert lacks_profile(killed_between)
    assert wait_s(killed_between, IFLOW) == 0
    assert wait_s(refused, IFLOW) == pytest.approx(27)
    assert timing.is_only_profile_missing(refused, now=NOW)
    assert not timing.is_only_profile_missing(refused, now=NOW + 3 * DAY)
    assert not lacks_profile(account(failing_since=NOW))
    assert not lacks_profile(account(age_s=None))


def test_fresh_is_what_was_refreshed_a_moment_ago() -> None:
    assert is_fresh(account(age_s=10), now=NOW, within_s=30)
    assert not is_fresh(account(age_s=31), now=NOW, within_s=30)
    assert not is_fresh(account(age_s=None), now=NOW, within_s=30)
