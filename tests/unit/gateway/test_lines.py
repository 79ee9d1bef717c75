"""Whose turn it is."""

from __future__ import annotations

import asyncio

from iflow_cli_proxy.gateway.lines import Lines, Waiter
from iflow_cli_proxy.pool.lease import Closed
from iflow_cli_proxy.pool.wish import Wish


def waiter(client: str) -> Waiter:
    future = asyncio.get_running_loop().create_future()
    return Waiter(Wish(provider="up"), client, False, 0.0, 30.0, future, Closed(0.0, "busy"))


def lines_of(*clients: str) -> tuple[Lines, list[Waiter]]:
    lines, waiters = Lines(), [waiter(client) for client in clients]
    for each in waiters:
        lines.join(each)
    return lines, waiters


async def test_each_client_stands_in_a_line_of_its_own() -> None:
    lines, (first, other, second) = lines_of("a", "b", "a")
    assert (lines.clients(), lines.line("a"), lines.line("b")) == (("a", "b"), (first, second), (other,))
    assert [*lines] == [first, second, other]


async def test_who_has_had_its_turn_comes_last() -> None:
    lines, _ = lines_of("a", "b")
    lines.had_its_turn("a")
    lines.had_its_turn("nobody")
    assert lines.clients() == ("b", "a")


async def test_who_gave_up_is_not_counted_and_an_empty_line_is_gone() -> None:
    lines, (one,) = lines_of("a")
    one.future.cancel()
    assert [*lines] == []
    assert lines
    lines.remove(one)
    lines.remove(one)
    assert not lines


async def test_a_place_is_taken_from_the_longest_line_and_only_for_one_that_stays_shorter() -> None:
    lines, waiters = lines_of("a", "a", "a", "b")
    assert lines.last_of_the_longest("new") is waiters[2]
    assert lines.last_of_the_longest("b") is waiters[2]
    assert lines.last_of_the_longest("a") is None
    lines.remove(waiters[2])
    assert lines.last_of_the_longest("b") is None, "they would only change places"
    assert Lines().last_of_the_longest("a") is None
