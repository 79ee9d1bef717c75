from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import RateLimited
from iflow_cli_proxy.server.admin.throttle import MOST_FROM_ONE, MOST_IN_ALL, Throttle
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def throttle(clock: FakeClock) -> Throttle:
    return Throttle(clock)


def waits_s(throttle: Throttle, address: str = "203.0.113.1") -> float:
    """How long the next try has to wait; 0 for one that was let through."""
    try:
        throttle.knock(address)
    except RateLimited as error:
        return error.retry_after_s or 0.0
    return 0.0


def test_pauses_grow_after_a_few_failures(throttle: Throttle, clock: FakeClock) -> None:
    pauses = []
    for _ in range(9):
        clock.advance(pauses[-1] if pauses else 0.0)
        clock.advance(7)  # so that ten a minute do not matter here
        throttle.knock("a")
        throttle.failed("a")
        pauses.append(waits_s(throttle, "a"))

    assert pauses == [0, 0, 1, 2, 4, 8, 16, 32, 60]


def test_ten_a_minute_from_one_address(throttle: Throttle, clock: FakeClock) -> None:
    for _ in range(MOST_FROM_ONE):
        assert waits_s(throttle) == 0
    assert waits_s(throttle) == 60
    clock.advance(59.5)
    assert waits_s(throttle) == 0.5
    clock.advance(0.5)
    assert waits_s(throttle) == 0


def test_strangers_from_everywhere_are_held_together_and_the_owner_is_not(throttle: Throttle) -> None:
    throttle.knock("owner")
    throttle.succeeded("owner")
    let_in = sum(waits_s(throttle, f"203.0.113.{n}") == 0 for n in range(250))

    assert let_in == MOST_IN_ALL - 1
    assert waits_s(throttle, "somebody else") > 0
    assert waits_s(throttle, "owner") == 0


def test_signing_in_clears_what_was_counted(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.knock("a")
        throttle.failed("a")
    throttle.succeeded("a")

    assert all(waits_s(throttle, "a") == 0 for _ in range(MOST_FROM_ONE))


def test_failures_are_forgiven_after_a_while(throttle: Throttle, clock: FakeClock) -> None:
    for _ in range(3):
        throttle.knock("a")
        throttle.failed("a")
    clock.advance(901)
    throttle.knock("a")
    throttle.failed("a")

    assert waits_s(throttle, "a") == 0


def test_it_remembers_ten_thousand_addresses_at_most(throttle: Throttle) -> None:
    for n in range(10_100):
        throttle.failed(str(n))

    assert len(throttle._knocks) == 10_000


def test_a_million_failures_are_no_overflow(throttle: Throttle) -> None:
    throttle.failed("a")
    throttle._knocks["a"].failures = 10**6
    throttle.failed("a")

    assert waits_s(throttle, "a") == 60


@pytest.mark.parametrize("address", ["127.0.0.1", "::/64"])
def test_strangers_leave_the_owner_a_way_in_from_this_machine_before_anybody_has_signed_in(
    throttle: Throttle, address: str
) -> None:
    for number in range(MOST_IN_ALL):
        throttle.knock(f"203.0.113.{number}")

    assert waits_s(throttle, "198.51.100.1") > 0
    assert [waits_s(throttle, address) > 0 for _ in range(MOST_FROM_ONE + 1)] == [False] * MOST_FROM_ONE + [True]
