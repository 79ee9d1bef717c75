from __future__ import annotations

from dataclasses import replace

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount, Tokens
from iflow_cli_proxy.signin.unsaved import Unsaved
from tests.support.fake_clock import FakeClock
from tests.support.saved_accounts import saved_account

FULL = StateError("The disk is full.")
OLD = saved_account()


def with_tokens(number: int, account: SavedAccount = OLD) -> SavedAccount:
    return replace(account, tokens=Tokens(access_token=Secret(f"at-{number}"), refresh_token=Secret(f"rt-{number}")))


def test_what_could_not_be_saved_is_newer_than_the_place_until_the_place_changes() -> None:
    unsaved = Unsaved(FakeClock())
    unsaved.keep(with_tokens(1), OLD.tokens, FULL)

    assert unsaved.newest(OLD).tokens == with_tokens(1).tokens
    assert unsaved.newest(replace(OLD, label="renamed")).label == "renamed"
    assert unsaved.newest(with_tokens(9)) == with_tokens(9)  # somebody signed in again
    assert unsaved.newest(saved_account("two")) == saved_account("two")


def test_a_second_refresh_in_memory_replaces_the_first_and_is_no_news() -> None:
    unsaved = Unsaved(FakeClock())

    assert unsaved.keep(with_tokens(1), OLD.tokens, FULL)
    assert not unsaved.keep(with_tokens(2), OLD.tokens, FULL)
    assert unsaved.newest(OLD).tokens == with_tokens(2).tokens


def test_it_is_tried_again_after_pauses_that_double() -> None:
    clock = FakeClock()
    unsaved = Unsaved(clock)
    unsaved.keep(with_tokens(1), OLD.tokens, FULL)
    pauses = []
    for _ in range(6):
        waited = 0
        while not unsaved.to_try_again():
            clock.advance(10)
            waited += 10
        pauses.append(waited)
        unsaved.put_off("one", FULL)

    assert pauses == [30, 60, 120, 240, 300, 300]


def test_what_is_saved_is_forgotten_here() -> None:
    unsaved = Unsaved(FakeClock())
    unsaved.keep(with_tokens(1), OLD.tokens, FULL)
    assert dict(unsaved.errors) == {"one": FULL}

    assert unsaved.settle("one")
    assert not unsaved.settle("one")
    unsaved.put_off("one", FULL)

    assert not unsaved.errors
    assert unsaved.newest(OLD) == OLD
