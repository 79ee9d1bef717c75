from __future__ import annotations

from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import (
    CutOff,
    GatewayError,
    LoginRequired,
    Malformed,
    Overloaded,
    RateLimited,
    Revoked,
    TimedOut,
    Unreachable,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, Tokens
from iflow_cli_proxy.providers.signin import Profile, RefreshPolicy
from iflow_cli_proxy.signin import outcome
from iflow_cli_proxy.signin.timing import is_given_up, lacks_profile
from tests.support.saved_accounts import full_account, saved_account

NOW = 1_700_000_000.0
DAY = 86_400.0
POLICY = RefreshPolicy()
NEW = Tokens(access_token=Secret("at-new"), refresh_token=Secret("rt-new"), expires_at=NOW + 3600)


def failing(times: int, error: GatewayError, *, every_s: float = 300.0) -> SavedAccount:
    account = saved_account()
    for number in range(times):
        account = outcome.failed(account, error, POLICY, now=NOW + number * every_s)
    return account


# --- success ------------------------------------------------------------------------------------------------------


def test_new_tokens_wipe_every_mark_of_failure_and_leave_the_rest() -> None:
    before = replace(full_account(), api_key=Secret(), state=AccountState.NEEDS_LOGIN)

    after = outcome.renewed(before, NEW, now=NOW, awaits_profile=False)

    assert after.tokens == NEW
    assert (after.refreshed_at, after.updated_at, after.state) == (NOW, NOW, AccountState.OK)
    assert (after.refresh_failures, after.failing_since, after.last_error, after.last_error_at) == (0, None, "", None)
    assert not after.is_refused
    assert (after.label, after.extras, after.request_count) == (before.label, before.extras, before.request_count)


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.COOLING])
def test_what_a_person_or_a_rate_limit_decided_outlives_a_refresh(state: AccountState) -> None:
    assert outcome.renewed(saved_account(state=state), NEW, now=NOW, awaits_profile=False).state is state


def test_new_tokens_bring_a_new_base_url_or_keep_the_old_one() -> None:
    before = saved_account(base_url="https://old.example/v1")
    moved = replace(NEW, base_url="https://new.example/v1")

    assert outcome.renewed(before, NEW, now=NOW, awaits_profile=False).base_url == "https://old.example/v1"
    assert outcome.renewed(before, moved, now=NOW, awaits_profile=False).base_url == "https://new.example/v1"


def test_tokens_whose_key_has_not_come_yet_are_marked_and_a_refused_key_stays_refused() -> None:
    after = outcome.renewed(saved_account(is_refused=True), NEW, now=NOW, awaits_profile=True)

    assert lacks_profile(after)
    assert after.is_refused
    assert after.api_key == saved_account().api_key


def test_where_nobody_tells_an_id_the_name_to_the_letter_stands_in() -> None:
    pending = outcome.renewed(saved_account(), NEW, now=NOW, awaits_profile=True)

    assert outcome.completed(pending, Profile(api_key=Secret("k"), label="A.b@x"), now=NOW).user_id == "A.b@x"


def test_the_key_completes_the_refresh_and_the_label_stays() -> None:
    pending = outcome.renewed(saved_account(is_refused=True), NEW, now=NOW, awaits_profile=True)

    new_key = outcome.completed(pending, Profile(api_key=Secret("sk-new"), label="other", user_id="7"), now=NOW + 1)
    same_key = outcome.completed(pending, Profile(api_key=pending.api_key), now=NOW + 1)

    assert (new_key.api_key, new_key.label, new_key.user_id) == (Secret("sk-new"), "one@example.com", "7")
    assert not new_key.is_refused
    assert same_key.is_refused
    dead = replace(pending, state=AccountState.NEEDS_LOGIN)
    assert outcome.completed(dead, Profile(api_key=Secret("sk-new")), now=NOW).state is AccountState.OK
    assert outcome.completed(dead, Profile(api_key=dead.api_key), now=NOW).state is AccountState.NEEDS_LOGIN
    assert not lacks_profile(new_key)


# --- failure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [LoginRequired("gone", code="invalid_grant"), Revoked("blocked")])
def test_a_dead_refresh_token_needs_a_sign_in_and_takes_nothing_away(error: GatewayError) -> None:
    before = full_account()

    after = outcome.failed(before, error, POLICY, now=NOW)

    assert after.state is AccountState.NEEDS_LOGIN
    assert (after.tokens, after.api_key, after.base_url) == (before.tokens, before.api_key, before.base_url)
    assert (after.last_error, after.last_error_at, after.refresh_failures) == (error.message, NOW, 4)


def test_why_a_sign_in_is_needed_is_not_forgotten_over_a_failure_that_passes() -> None:
    ended = outcome.failed(failing(2, Overloaded("busy")), LoginRequired("gone"), POLICY, now=NOW + 600)
    given_up = failing(290, Overloaded("busy"))
    assert not is_given_up(ended)
    assert is_given_up(given_up)

    for before in (ended, given_up):
        after = outcome.failed(before, Unreachable("no network"), POLICY, now=NOW + 9 * DAY)

        assert (after.state, after.last_error) == (AccountState.NEEDS_LOGIN, before.last_error)
        assert is_given_up(after) == is_given_up(before)
        assert (after.last_error_at, after.refresh_failures) == (NOW + 9 * DAY, before.refresh_failures + 1)
    assert not is_given_up(outcome.failed(given_up, LoginRequired("gone"), POLICY, now=NOW))


def test_a_disabled_account_stays_disabled() -> None:
    after = outcome.failed(saved_account(state=AccountState.DISABLED), LoginRequired("gone"), POLICY, now=NOW)

    assert after.state is AccountState.DISABLED
    assert after.last_error == "gone"


def test_a_setting_that_is_wrong_is_not_the_end_of_an_account() -> None:
    error = LoginRequired("The sign-in server does not know our client_id.", param="providers.x.oauth.client_id")

    assert outcome.failed(saved_account(), error, POLICY, now=NOW).state is AccountState.OK


@pytest.mark.parametrize("error", [Overloaded("busy"), RateLimited("slow down"), Malformed("a web page")])
def test_a_day_of_nothing_but_failing_answers_means_sign_in_again(error: GatewayError) -> None:
    assert failing(288, error).state is AccountState.OK

    given_up = failing(290, error)

    assert given_up.state is AccountState.NEEDS_LOGIN
    assert given_up.tokens == saved_account().tokens
    assert "24 hours" in given_up.last_error


@pytest.mark.parametrize("error", [Unreachable("no network"), TimedOut("total", 20), CutOff("cut")])
def test_a_machine_without_a_network_gives_no_account_up(error: GatewayError) -> None:
    offline = failing(900, error)
    assert offline.state is AccountState.OK

    back = outcome.failed(offline, Overloaded("busy"), POLICY, now=NOW + 900 * 300)

    assert back.state is AccountState.OK
    assert back.failing_since is not None
    assert NOW + 900 * 300 - back.failing_since <= 300


def test_f57_a_clock_that_jumps_by_days_gives_no_account_up() -> None:
    once = outcome.failed(saved_account(), Overloaded("busy"), POLICY, now=NOW)

    assert outcome.failed(once, Overloaded("busy"), POLICY, now=NOW + 3 * DAY).state is AccountState.OK


def test_the_third_answer_that_makes_no_sense_says_that_the_service_may_be_gone() -> None:
    assert "gone" not in failing(2, Malformed("The sign-in server sent a web page.")).last_error
    assert failing(3, Malformed("The sign-in server sent a web page.")).last_error.endswith("may be gone.")


def test_a_key_that_did_not_come_keeps_tokens_and_mark() -> None:
    pending = outcome.renewed(saved_account(), NEW, now=NOW, awaits_profile=True)

    after = outcome.without_profile(pending, Overloaded("busy"), now=NOW + 1)

    assert lacks_profile(after)
    assert (after.tokens, after.api_key) == (NEW, saved_account().api_key)
    assert after.refresh_failures == 1
    assert "API key" in after.last_error


def test_i45_what_is_noted_is_one_clean_line_without_secrets() -> None:
    account = saved_account()
    assert account.tokens is not None
    text = (
        f"no {account.tokens.refresh_token.reveal()}\nno {account.api_key.reveal()} \x1b[31mred https://x.example/?t=1"
    )

    told = outcome.told(Overloaded(text), account)

    assert "rt-of-one" not in told
    assert "sk-key" not in told
    assert told.isprintable()
    assert "example" not in told
    assert outcome.told(Overloaded(""), account) == "The refresh failed (Overloaded)."


def test_a_credential_from_memory_keeps_what_was_decided_on_disk_meanwhile() -> None:
    newer = outcome.renewed(saved_account(), NEW, now=NOW, awaits_profile=False)
    disk = saved_account(label="renamed", state=AccountState.DISABLED, request_count=7, extras={"a": 1})

    both = outcome.with_credential_of(disk, newer)

    assert (both.tokens, both.refreshed_at) == (NEW, NOW)
    assert (both.label, both.state, both.request_count, both.extras) == ("renamed", AccountState.DISABLED, 7, {"a": 1})
