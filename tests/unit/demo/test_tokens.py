from __future__ import annotations

from iflow_cli_proxy.demo.tokens import Rules, Tokens
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock


def books(clock: FakeClock | None = None, **rules: object) -> Tokens:
    return Tokens(Rules(**rules), clock or FakeClock(), counting_entropy(), vendor_lifetime_s=100)  # type: ignore[arg-type]


def test_an_access_token_holds_for_its_lifetime_and_no_longer() -> None:
    clock = FakeClock()
    tokens = books(clock)
    pair = tokens.sign_in("ada")
    assert pair.lifetime_s == 100

    clock.advance(99)
    assert tokens.person_of(pair.access_token) == "ada"
    clock.advance(1)
    assert tokens.person_of(pair.access_token) is None


def test_the_lifetime_can_be_shorter_than_the_vendors() -> None:
    assert books(token_lifetime_s=3).sign_in("ada").lifetime_s == 3


def test_a_refresh_replaces_the_refresh_token_and_leaves_the_access_token() -> None:
    tokens = books()
    old = tokens.sign_in("ada")

    new = tokens.refresh(old.refresh_token)

    assert new is not None
    assert (tokens.is_live(old.refresh_token), tokens.is_live(new.refresh_token)) == (False, True)
    assert {tokens.person_of(old.access_token), tokens.person_of(new.access_token)} == {"ada"}


def test_a_server_that_does_not_rotate_names_no_new_refresh_token() -> None:
    tokens = books(rotates=False)
    old = tokens.sign_in("ada")

    new = tokens.refresh(old.refresh_token)

    assert new is not None
    assert new.refresh_token == ""
    assert new.access_token != old.access_token
    assert tokens.refresh(old.refresh_token) is not None


def test_f49_a_lost_answer_comes_again_within_the_window() -> None:
    clock = FakeClock()
    tokens = books(clock, reuse_window_s=10)
    old = tokens.sign_in("ada")
    lost = tokens.refresh(old.refresh_token)

    clock.advance(9)
    assert tokens.refresh(old.refresh_token) == lost
    clock.advance(1)
    assert tokens.refresh(old.refresh_token) is None


def test_within_the_window_nothing_comes_again_once_the_new_token_was_used() -> None:
    tokens = books()
    old = tokens.sign_in("ada")
    new = tokens.refresh(old.refresh_token)
    assert new is not None
    tokens.refresh(new.refresh_token)

    assert tokens.refresh(old.refresh_token) is None


def test_a_reused_token_takes_the_latest_one_down_only_when_told_so() -> None:
    for revokes in (False, True):
        tokens = books(reuse_window_s=0, revokes_reused=revokes)
        first = tokens.sign_in("ada")
        second = tokens.refresh(first.refresh_token)
        assert second is not None
        third = tokens.refresh(second.refresh_token)
        assert third is not None

        assert tokens.refresh(first.refresh_token) is None
        assert tokens.is_live(third.refresh_token) is not revokes


def test_a_person_can_be_signed_out_everywhere_and_another_stays() -> None:
    tokens = books()
    ada, bob = tokens.sign_in("ada"), tokens.sign_in("bob")

    tokens.revoke("ada")

    assert tokens.person_of(ada.access_token) is None
    assert tokens.refresh(ada.refresh_token) is None
    assert tokens.person_of(bob.access_token) == "bob"


def test_all_access_tokens_can_be_ended_and_refreshes_still_work() -> None:
    tokens = books()
    pair = tokens.sign_in("ada")

    tokens.end_access()

    assert tokens.person_of(pair.access_token) is None
    assert tokens.refresh(pair.refresh_token) is not None


def test_what_was_never_issued_is_nobodys() -> None:
    assert books().refresh("rt-x") is None
    assert books().person_of("") is None
