from __future__ import annotations

import asyncio

from iflow_cli_proxy.core import jsonx
from tests.support.fake_transport import FakeReply
from tests.support.patience import until
from tests.support.shell import ask, shell, shell_state


async def test_no_more_are_served_at_once_than_may_be() -> None:
    hanging = FakeReply(asyncio.Event())
    state = shell_state(hanging, max_in_flight=2)
    async with shell(state) as client:
        served = [asyncio.ensure_future(ask(client)) for _ in range(2)]
        await until(lambda: len(state.in_flight) == 2)

        status, headers, body = await ask(client)

        assert (status, jsonx.decode(body)["error"]["code"]) == (503, "busy")
        assert headers["retry-after"] == "1"
        assert (await client.get("/health")).status == 200
        served[0].cancel()
        await until(lambda: len(state.in_flight) == 1)
        served[1].cancel()
        await until(lambda: not state.in_flight)


async def test_while_draining_nothing_new_begins_and_the_connection_ends() -> None:
    state = shell_state()
    state.is_draining = True
    async with shell(state) as client:
        status, headers, body = await ask(client)

    assert (status, jsonx.decode(body)["error"]["code"]) == (503, "draining")
    assert headers["connection"] == "close"
    assert headers["retry-after"] == "1"


async def test_a_place_is_free_again_however_it_ended() -> None:
    state = shell_state(FakeReply(b"<html>", status=500), max_in_flight=1)
    async with shell(state) as client:
        statuses = [(await ask(client))[0] for _ in range(3)]

    assert statuses == [502, 502, 502]
    assert not state.in_flight
