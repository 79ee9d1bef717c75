from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientConnectorDNSError, ClientConnectorError, ClientOSError, ClientPayloadError, InvalidURL
from aiohttp.client_reqrep import ConnectionKey

from iflow_cli_proxy.core.errors import ConfigError, ConnectionLost, ConnectTimedOut, GatewayError, Unreachable
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.plain import PlainTransport
from tests.support.raw_upstream import RawUpstream, answer, close, hang, head, stream_head, wait_for
from tests.support.raw_upstream import chunk as piece

KEY = ConnectionKey("secret.example", 443, True, True, None, None, None, None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), ConnectTimedOut),
        (ClientConnectorDNSError(KEY, OSError(8, "secret.example")), Unreachable),
        (ClientConnectorError(KEY, OSError(111, "refused")), Unreachable),
        (ClientOSError(104, "reset"), ConnectionLost),
        (InvalidURL("http://"), ConfigError),
        (ClientPayloadError("something new"), ConnectionLost),
    ],
)
def test_exceptions_of_aiohttp_find_their_place_in_the_tree(error: Exception, kind: type[GatewayError]) -> None:
    fault = PlainTransport(TransportOptions())._fault(error, None)  # type: ignore[arg-type]
    assert type(fault) is kind
    assert "secret" not in f"{fault.message} {fault.detail} {fault.hint}"


@pytest.mark.parametrize(
    "url", ["http://[/v1", "http://127.0.0.1:99999/v1", "http://h:9\r\nX: y/v1", "//h/v1", "file:///etc"]
)
async def test_an_address_that_is_none_is_a_setting_to_correct(url: str) -> None:
    transport = PlainTransport(TransportOptions(kind="plain"))
    with pytest.raises(ConfigError, match="base URL"):
        await transport.send(UpstreamRequest(url=url, headers={}, body=b"{}"))
    await transport.aclose()


async def test_one_session_serves_every_request() -> None:
    transport = PlainTransport(TransportOptions(proxy="http://p:1"))
    proxy = transport._choose_proxy("http://a/")
    assert transport._pool(proxy) is transport._pool(None)
    await transport.aclose()


async def test_a_reply_whose_end_has_arrived_unread_is_not_pooled() -> None:
    transport = PlainTransport(TransportOptions())
    async with RawUpstream([answer(b"whole")]) as upstream:
        reply = await transport.send(UpstreamRequest(url=upstream.url, headers={}))
        reply.close()
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)
        await transport.aclose()


async def test_a_reply_that_is_complete_is_pooled_although_nobody_asked_for_its_end() -> None:
    transport = PlainTransport(TransportOptions())
    async with RawUpstream([answer(b"whole")]) as upstream:
        for _ in range(2):
            reply = await transport.send(UpstreamRequest(url=upstream.url, headers={}))
            assert await reply.read() == b"whole"
            reply.close()
        assert len(upstream.connections) == 1
        await transport.aclose()


async def test_excess_after_the_promised_length_is_a_fault_even_when_it_comes_later() -> None:
    more = asyncio.Event()
    transport = PlainTransport(TransportOptions())
    async with RawUpstream(
        [head(200, {"Content-Length": "6"}) + b"one", wait_for(more), b"twoEXCESS", hang]
    ) as upstream:
        reply = await transport.send(UpstreamRequest(url=upstream.url, headers={}))
        assert await reply.read() == b"one"
        more.set()
        assert await reply.read() == b"two"
        with pytest.raises(GatewayError, match="more than it announced"):
            await reply.read()
        reply.close()
        await transport.aclose()


async def test_header_bytes_that_are_not_utf_8_stay_printable() -> None:
    transport = PlainTransport(TransportOptions())
    async with RawUpstream([b"HTTP/1.1 200 OK\r\nX-Odd: caf\xe9\r\nContent-Length: 0\r\n\r\n"]) as upstream:
        reply = await transport.send(UpstreamRequest(url=upstream.url, headers={}))
        assert reply.headers["x-odd"].encode() == "caf\N{REPLACEMENT CHARACTER}".encode()
        reply.close()
        await transport.aclose()


async def test_many_stale_connections_cost_one_extra_attempt() -> None:
    transport = PlainTransport(TransportOptions())
    go = asyncio.Event()
    scripts = [[stream_head(), wait_for(go), piece(b"x"), b"0\r\n\r\n"]] * 5
    async with RawUpstream(*scripts, [close], [answer(b"fresh")]) as upstream:
        request = UpstreamRequest(url=upstream.url, headers={})
        replies = await asyncio.gather(*(transport.send(request) for _ in range(5)))
        go.set()
        for reply in replies:
            while await reply.read():
                pass
            reply.close()
        reply = await transport.send(request)
        assert await reply.read() == b"fresh"
        reply.close()
        assert len(upstream.requests) == 5 + 2
        await transport.aclose()
