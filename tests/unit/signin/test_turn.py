from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import CredentialError, LoginRequired, Overloaded, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, Tokens
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin.turn import Turns, Wish
from tests.support.fake_clock import FakeClock
from tests.support.saved_accounts import saved_account

POLICY = RefreshPolicy()
ANY = Wish("one", None, False)
FORCED = Wish("one", None, True)
SEEN = Wish("one", Secret("at-1"), False)


def account(clock: FakeClock, number: int = 1, *, left_s: float = 3600.0, **changes: Any) -> SavedAccount:
    tokens = Tokens(
        access_token=Secret(f"at-{number}"), refresh_token=Secret(f"rt-{number}"), expires_at=clock.now() + left_s
    )
    return saved_account(api_key=Secret(), tokens=tokens, **changes)


def turns(clock: FakeClock) -> Turns:
    return Turns(clock, lambda: 0.5)


# --- is it enough? ------------------------------------------------------------------------------------------------


def test_without_more_an_account_is_enough_until_its_policy_wants_a_refresh() -> None:
    clock = FakeClock()

    assert turns(clock).is_enough(account(clock), POLICY, ANY)
    assert not turns(clock).is_enough(account(clock, left_s=600), POLICY, ANY)


def test_any_other_bearer_that_still_works_is_enough_for_who_saw_one_refused() -> None:
    clock = FakeClock()

    assert turns(clock).is_enough(account(clock, 2), POLICY, SEEN)
    assert not turns(clock).is_enough(account(clock, 1), POLICY, SEEN)
    assert not turns(clock).is_enough(account(clock, 2, left_s=-1), POLICY, SEEN)
    assert not turns(clock).is_enough(saved_account(api_key=Secret(), tokens=None), POLICY, SEEN)


def test_who_insists_is_content_with_a_refresh_of_a_moment_ago() -> None:
    clock = FakeClock()

    assert turns(clock).is_enough(account(clock, refreshed_at=clock.now() - 29), POLICY, FORCED)
    assert not turns(clock).is_enough(account(clock, refreshed_at=clock.now() - 31), POLICY, FORCED)
    incomplete = account(clock, refreshed_at=clock.now(), failing_since=clock.now())
    assert not turns(clock).is_enough(incomplete, POLICY, FORCED)


# --- may anybody ask? ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [ANY, FORCED, SEEN])
def test_nothing_can_be_asked_without_a_refresh_token(wish: Wish) -> None:
    clock = FakeClock()

    with pytest.raises(LoginRequired, match="no refresh token") as caught:
        turns(clock).check(saved_account(tokens=None), POLICY, wish)
    assert caught.value.hint == "run `iflow2api login iflow`"


def test_an_account_that_needs_a_sign_in_is_asked_for_only_by_a_person() -> None:
    clock = FakeClock()
    dead = account(clock, state=AccountState.NEEDS_LOGIN, last_error="It was revoked.")

    for wish in (ANY, SEEN):
        with pytest.raises(LoginRequired, match="It was revoked"):
            turns(clock).check(dead, POLICY, wish)
    turns(clock).check(dead, POLICY, FORCED)


def test_what_another_process_noted_is_respected() -> None:
    clock = FakeClock()
    failing = account(clock, refresh_failures=2, last_error="Busy.", last_error_at=clock.now() - 10)

    for wish in (ANY, SEEN):
        with pytest.raises(Overloaded, match=r"in 50 s\. Busy\.") as caught:
            turns(clock).check(failing, POLICY, wish)
        assert caught.value.retry_after_s == pytest.approx(50)
    turns(clock).check(failing, POLICY, FORCED)


def test_places_without_notes_are_remembered_here() -> None:
    clock = FakeClock()
    mine = turns(clock)
    mine.failed(account(clock, refresh_failures=1), POLICY, RateLimited("Slow down.", retry_after_s=600), is_over=False)
    seen_in_place = account(clock)

    clock.advance(599)
    with pytest.raises(Overloaded, match="Slow down"):
        mine.check(seen_in_place, POLICY, SEEN)
    clock.advance(2)
    mine.check(seen_in_place, POLICY, SEEN)


def test_the_pause_grows_too_where_a_place_keeps_no_notes() -> None:
    clock = FakeClock()
    mine = turns(clock)
    waits = []
    for _ in range(5):
        mine.failed(account(clock, refresh_failures=1), POLICY, Overloaded("Busy."), is_over=False)
        with pytest.raises(Overloaded) as caught:
            mine.check(account(clock), POLICY, SEEN)
        waits.append(caught.value.retry_after_s)

    assert waits == pytest.approx([30, 60, 120, 240, 300])


def test_what_is_remembered_of_dead_tokens_ends_with_them() -> None:
    clock = FakeClock()
    mine = turns(clock)
    mine.failed(account(clock, refresh_failures=1), POLICY, LoginRequired("Gone."), is_over=True)

    clock.advance(1e6)
    with pytest.raises(LoginRequired, match="Gone"):
        mine.check(account(clock), POLICY, SEEN)
    mine.check(account(clock, 2), POLICY, SEEN)


def test_a_place_without_notes_does_not_hide_that_a_sign_in_is_over() -> None:
    clock = FakeClock()
    mine = turns(clock)
    mine.failed(account(clock, refresh_failures=1), POLICY, LoginRequired("Gone."), is_over=True)

    told = mine.told(account(clock))
    assert (told.state, told.last_error) == (AccountState.NEEDS_LOGIN, "Gone.")
    mine.failed(account(clock, refresh_failures=1), POLICY, Overloaded("Busy."), is_over=False)
    assert mine.told(account(clock)) == told, "what passes later takes nothing back"
    for other in (account(clock, 2), account(clock, state=AccountState.DISABLED), saved_account(id="another")):
        assert mine.told(other) == other
    mine.succeeded(account(clock), POLICY)
    assert mine.told(account(clock)) == account(clock)


def test_a_refused_bearer_is_refreshed_once_before_its_time_and_not_again_within_the_interval() -> None:
    clock = FakeClock()
    mine = turns(clock)
    for number in (1, 2):
        clock.advance(10)
        fresh = account(clock, number, refreshed_at=clock.now())
        mine.succeeded(fresh, POLICY)
        wish = Wish("one", Secret(f"at-{number}"), False)
        if number == 1:
            mine.check(fresh, POLICY, wish)
        else:
            with pytest.raises(CredentialError, match="a moment ago"):
                mine.check(fresh, POLICY, wish)

    clock.advance(301)
    mine.check(replace(fresh, refreshed_at=clock.now() - 301), POLICY, wish)


def test_f57_the_least_interval_outlives_a_clock_that_jumps() -> None:
    clock = FakeClock()
    mine = turns(clock)
    mine.succeeded(account(clock, refreshed_at=clock.now()), POLICY)
    once = Wish("one", Secret("at-1"), False)
    mine.check(account(clock, refreshed_at=clock.now()), POLICY, once)

    for jump_s in (86_400.0, -2 * 86_400.0):
        clock.jump(jump_s)
        with pytest.raises(CredentialError, match="a moment ago"):
            mine.check(account(clock), POLICY, once)
