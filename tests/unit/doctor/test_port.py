from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.doctor import port
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.port import examine, find_gateway
from iflow_cli_proxy.transport.base import Transport, TransportOptions
from tests.support.raw_upstream import RawUpstream
from tests.support.transports import opened

OURS = '{"status":"ok","version":"%s"}'


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with opened(TransportOptions(kind="plain", connect_timeout_s=2.0)) as it:
        yield it


def saying(text: str, status: str = "200 OK") -> list[bytes]:
    body = text.encode()
    return [b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)]


async def look(number: int, transport: Transport) -> Finding:
    server = ServerSettings(port=number)
    return await examine(server, await find_gateway(server, transport))


async def test_a_free_port_is_fine(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]

    found = await look(free, transport)

    assert (found.status, found.subject) == (Status.OK, f"port {free}")
    assert "is free" in found.text


async def test_port_zero_is_always_free(transport: Transport) -> None:
    assert (await look(0, transport)).status is Status.OK


async def test_our_own_gateway_is_recognised(transport: Transport) -> None:
    async with RawUpstream(saying(OURS % __version__)) as gateway:
        found = await look(gateway.port, transport)

    assert found.status is Status.OK
    assert f"runs at http://127.0.0.1:{gateway.port}" in found.text
    assert gateway.requests[0].target == "/health"


async def test_a_gateway_of_another_version_should_be_started_anew(transport: Transport) -> None:
    async with RawUpstream(saying(OURS % "0.0.1")) as gateway:
        found = await look(gateway.port, transport)

    assert found.status is Status.WARNING
    assert "0.0.1" in found.text


async def test_a_port_that_swallows_questions_is_somebody_elses(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "_HEALTH_WITHIN_S", 0.05)
    async with RawUpstream() as silent:
        found = await look(silent.port, transport)

    assert found.status is Status.FAILURE


@pytest.mark.parametrize("script", [saying("hello"), saying("{}"), saying("no", "404 Not Found")])
async def test_somebody_else_is_named_with_the_next_free_port(transport: Transport, script: list[bytes]) -> None:
    async with RawUpstream(script) as stranger:
        found = await look(stranger.port, transport)

    assert found.status is Status.FAILURE
    assert "is taken" in found.text
    assert "iflow2api serve --port" in found.action
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in found.text
