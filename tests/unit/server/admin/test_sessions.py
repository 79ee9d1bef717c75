from __future__ import annotations

import pytest

from iflow_cli_proxy.server.admin.sessions import IDLE_S, LONGEST_S, Session, Sessions, has_csrf
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(clock)


def test_each_has_256_bits_of_its_own_and_they_are_not_kept(sessions: Sessions) -> None:
    secret, session = sessions.begin()
    other, _ = sessions.begin()

    assert len(bytes.fromhex(secret.reveal())) == 32
    assert secret != other
    assert sessions.find(secret.reveal()) is session
    assert secret.reveal() not in repr(vars(sessions))
    assert session.csrf not in repr(session)


@pytest.mark.parametrize("forged", ["", "x", "0" * 64, "\ud800", "\x00"])
def test_a_forged_one_is_none(sessions: Sessions, forged: str) -> None:
    sessions.begin()
    assert sessions.find(forged) is None


def test_it_ends_exactly_when_it_was_idle_for_long(sessions: Sessions, clock: FakeClock) -> None:
    secret = sessions.begin()[0].reveal()
    clock.advance(IDLE_S - 1)
    assert sessions.find(secret)
    clock.advance(IDLE_S - 1)
    assert sessions.find(secret, is_use=False)
    clock.advance(1)
    assert sessions.find(secret) is None


def test_it_ends_after_half_a_day_however_much_it_is_used(sessions: Sessions, clock: FakeClock) -> None:
    secret, session = sessions.begin()
    for _ in range(int(LONGEST_S / 600) - 1):
        clock.advance(600)
        assert sessions.find(secret.reveal())
    assert 0 < sessions.seconds_left(session) <= 600
    clock.advance(600)
    assert sessions.find(secret.reveal()) is None
    assert session.is_ended


def test_it_ends_while_the_machine_sleeps(sessions: Sessions, clock: FakeClock) -> None:
    secret = sessions.begin()[0].reveal()
    clock.jump(IDLE_S)
    assert sessions.find(secret) is None


def test_there_are_never_many(sessions: Sessions) -> None:
    first = sessions.begin()[0].reveal()
    others = [sessions.begin()[0].reveal() for _ in range(64)]

    assert sessions.find(first) is None
    assert all(map(sessions.find, others))


def test_all_end_but_one(sessions: Sessions) -> None:
    kept = sessions.begin()[1]
    gone = [sessions.begin()[1] for _ in range(3)]

    assert sessions.end_all(but=kept) == 3
    assert [one.is_ended for one in (kept, *gone)] == [False, True, True, True]


@pytest.mark.parametrize(("given", "fits"), [("ab" * 32, True), ("", False), ("ab", False), ("\u00e9\ud800", False)])
def test_the_token_is_compared_whole(given: str, fits: bool) -> None:
    session = Session(digest=b"", csrf="ab" * 32, began=(0.0, 0.0), seen=(0.0, 0.0))
    assert has_csrf(session, given) is fits
