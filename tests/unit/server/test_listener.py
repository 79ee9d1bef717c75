from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ServerSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.server.listener import Listener, listen
from tests.support.patience import until
from tests.support.raw_client import RawClient, ask

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
Open = Callable[..., Awaitable[Listener]]


@pytest.fixture
async def open_on() -> AsyncIterator[Open]:
    """Listens on a host and port with an application that says hello; everything is closed at the end."""
    runners: list[web.AppRunner] = []
    listeners: list[Listener] = []

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def open_on(host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> Listener:
        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        settings = Live(Settings(server=ServerSettings(host=host, port=port)))
        listeners.append(await listen(runner, settings, reuse_port=reuse_port))
        return listeners[-1]

    yield open_on
    for listener in listeners:
        listener.close()
    for runner in runners:
        await runner.cleanup()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


async def test_port_zero_takes_a_free_port_and_says_which(open_on: Open) -> None:
    listener = await open_on()

    assert listener.port > 0
    assert (listener.host, listener.urls) == ("127.0.0.1", (f"http://127.0.0.1:{listener.port}",))
    assert (await ask(listener.port, GET)).body == b"hello"


async def test_all_addresses_are_called_by_loopback(open_on: Open) -> None:
    listener = await open_on("0.0.0.0")

    assert listener.urls == (f"http://127.0.0.1:{listener.port}",)


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_an_ipv6_literal_is_a_host_with_or_without_brackets(open_on: Open, host: str) -> None:
    listener = await open_on(host)

    assert listener.urls == (f"http://[::1]:{listener.port}",)


async def test_a_name_is_listened_on_at_each_of_its_addresses_with_one_port(open_on: Open) -> None:
    listener = await open_on("localhost")

    assert (await ask(listener.port, GET)).status == 200
    assert {url.rpartition(":")[2] for url in listener.urls} == {str(listener.port)}


async def test_a_taken_port_names_who_has_it_and_the_next_free_one(open_on: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            await open_on(port=taken)

    assert caught.value.param == "server.port"
    assert f"Port {taken} is taken" in caught.value.message
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in caught.value.message
    suggested = int(caught.value.hint.rpartition(" ")[2].strip("`"))
    assert taken < suggested <= taken + 100


async def test_a_host_without_an_address_is_explained(open_on: Open) -> None:
    with pytest.raises(ConfigError) as caught:
        await open_on("no-such-host.invalid")

    assert caught.value.param == "server.host"


async def test_an_address_of_another_machine_is_explained(open_on: Open) -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 is not an address of this machine"):
        await open_on("192.0.2.1")


async def test_two_listeners_may_share_a_port_when_both_say_so(open_on: Open) -> None:
    first = await open_on(reuse_port=True)
    second = await open_on(port=first.port, reuse_port=True)

    assert second.port == first.port


async def test_the_port_is_free_again_after_close_although_connections_live(open_on: Open) -> None:
    listener = await open_on()
    client = await RawClient.connect(listener.port)
    await client.send(GET)
    await client.answer()
    listener.close()

    assert (await open_on(port=listener.port)).port == listener.port
    await client.send(GET)
    assert (await client.answer()).body == b"hello"
    client.close()


async def test_hundreds_of_connections_at_once_are_all_taken(open_on: Open) -> None:
    listener = await open_on()
    sockets = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(300)]

    assert (await ask(listener.port, GET)).status == 200
    await until(lambda: listener.connections == len(sockets))
    for sock in sockets:
        sock.close()
    await until(lambda: listener.connections == 0)


async def test_connections_are_counted(open_on: Open) -> None:
    listener = await open_on()
    client = await RawClient.connect(listener.port)
    await client.send(GET)

    assert listener.connections == 1
    client.close()
