"""The door's counting, and the two places where a `Connection` looks into aiohttp.

What clients see of it is in tests/integration/test_framing.py and test_hostile_clients.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ServerSettings, Settings
from iflow_cli_proxy.core.errors import Busy
from iflow_cli_proxy.server.connection import Connection, Door, guard, holder_of, is_last_answer
from iflow_cli_proxy.server.listener import Listener, listen
from tests.support.raw_client import RawClient, ask

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def door(limit: int = 0, room: int = 0) -> Door:
    settings = ServerSettings(max_connections_per_ip=limit)
    return Door(lambda: settings, new_request_id=lambda: "req_1", room=room)


def test_one_holder_may_have_so_many_connections_and_another_as_many_again() -> None:
    entrance = door(limit=2)

    assert [entrance.enter("a") is None for _ in range(3)] == [True, True, False]
    assert entrance.enter("b") is None
    entrance.leave("a")
    assert entrance.enter("a") is None
    assert isinstance(entrance.enter("a"), Busy)
    assert entrance.connections == 3


def test_all_holders_together_have_no_more_than_the_room() -> None:
    entrance = door(room=2)

    assert [entrance.enter(name) is None for name in "abc"] == [True, True, False]


def test_a_limit_of_zero_is_none() -> None:
    entrance = door()

    assert all(entrance.enter("a") is None for _ in range(10_000))


@pytest.mark.parametrize(
    ("peername", "holder"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        ("", ""),
        (None, ""),
    ],
)
def test_connections_are_counted_by_address_or_ipv6_network(peername: object, holder: str) -> None:
    assert holder_of(peername) == holder


class Shop:
    """A small application behind a listener, which holds its answer until it is told."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.requests: list[web.Request] = []
        self.listener: Listener
        self.runner: web.AppRunner

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        await self.may_answer.wait()
        if request.path == "/bug":
            raise RuntimeError("sk-canary-4f2a")
        if request.path == "/gone":
            raise ConnectionResetError
        return web.Response(body=await request.read())

    @property
    def connection(self) -> Any:
        assert self.runner.server is not None
        return self.runner.server.connections[0]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    made = Shop()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    made.runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await made.runner.setup()
    made.listener = await listen(made.runner, Live(Settings(server=ServerSettings(port=0))))
    try:
        yield made
    finally:
        made.may_answer.set()
        made.listener.close()
        await made.runner.cleanup()


async def test_aiohttp_still_shows_when_it_waits_for_a_head(shop: Shop) -> None:
    client = await RawClient.connect(shop.listener.port)
    await client.send(GET[:10])
    assert shop.connection._is_waiting

    shop.may_answer.clear()
    await client.send(GET[10:])
    assert not shop.connection._is_waiting

    shop.may_answer.set()
    await client.answer()
    assert shop.connection._is_waiting
    client.close()


async def test_aiohttp_still_shows_that_it_did_not_understand(shop: Shop) -> None:
    client = await RawClient.connect(shop.listener.port)
    shop.may_answer.clear()
    await client.send(GET, GET)
    assert not shop.connection._is_misunderstood

    await client.send(b"\x00")
    assert shop.connection._is_misunderstood
    await client.send(b"\x00", b"\x00")
    assert len(shop.connection._messages) == 2, "later bytes are not even looked at"
    client.close()


async def test_a_request_knows_that_its_answer_is_the_last(shop: Shop) -> None:
    client = await RawClient.connect(shop.listener.port)
    shop.may_answer.clear()
    await client.send(GET)
    (request,) = shop.requests
    assert not is_last_answer(request)

    shop.listener.dismiss()
    assert is_last_answer(request)
    shop.may_answer.set()
    assert (await client.answer()).status == 200
    assert await client.is_closed_by_peer()
    client.close()


async def test_a_bug_that_escapes_the_application_is_logged_and_not_shown(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(shop.listener.port, GET.replace(b"/ ", b"/bug ", 1))

    assert answer.status == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert b"canary" not in answer.body
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None


async def test_a_client_that_left_is_nobodys_bug(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    client = await RawClient.connect(shop.listener.port)
    await client.send(GET.replace(b"/ ", b"/gone ", 1))

    assert await client.is_closed_by_peer()
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    client.close()


async def test_a_guarded_server_refuses_before_the_application_sees_anything(shop: Shop) -> None:
    answer = await ask(shop.listener.port, GET.replace(b"GET", b"TRACE", 1))

    assert answer.status == 405
    assert shop.requests == []


async def test_guard_and_connection_do_without_a_listener() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hello")

    server, entrance = web.Server(handle), door()
    guard(server, entrance)
    loop = asyncio.get_running_loop()
    accepting = await loop.create_server(lambda: Connection(server, entrance, loop=loop), "127.0.0.1", 0)
    try:
        assert (await ask(accepting.sockets[0].getsockname()[1], GET)).body == b"hello"
    finally:
        accepting.close()
        await server.shutdown(0.1)
