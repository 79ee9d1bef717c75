from __future__ import annotations

from tests.support.shell import shell_state


async def test_a_new_server_serves_nobody_and_takes_work() -> None:
    state = shell_state()

    assert not state.is_draining
    assert not state.in_flight
    assert not state.answers
    assert not state.observers


async def test_two_servers_count_apart() -> None:
    one, other = shell_state(), shell_state()
    one.observers.append(print)

    assert other.observers == []


async def test_each_has_counts_of_its_own_and_begins_with_none() -> None:
    one, other = shell_state(), shell_state()
    assert one.is_accepting
    assert one.tally.requests == 0
    assert one.tally is not other.tally
