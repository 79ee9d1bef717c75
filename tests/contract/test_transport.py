"""What every transport promises in ordinary life: bytes in order, leaving at once, time limits.

Tests that stand for a row of RELIABILITY carry its number, here and in the two files beside this one.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import (
    ConnectionLost,
    ConnectTimedOut,
    GatewayError,
    TimedOut,
    Unreachable,
)
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import Transport, TransportOptions, UpstreamRequest
from tests.support.raw_upstream import (
    LAST_CHUNK,
    RawUpstream,
    Script,
    answer,
    chunk,
    event,
    flood,
    hang,
    head,
    reset,
    stream_head,
    wait_for,
)
from tests.support.transports import MB, OK, fetch, opened, post, read_all, rss_bytes


async def test_the_first_chunk_is_visible_before_the_last_is_sent(transport: Transport) -> None:
    more = asyncio.Event()
    async with RawUpstream([stream_head(), event("one"), wait_for(more), event("two"), LAST_CHUNK]) as upstream:
        reply = await transport.send(post(upstream))
        assert await reply.read() == b"data: one\n\n"
        more.set()
        assert await read_all(reply) == b"data: two\n\n"
        assert await reply.read() == b""
        reply.close()


async def test_big_bodies_travel_both_ways(transport: Transport) -> None:
    up, down = b"u" * (3 * MB), bytes(range(256)) * (12 * 1024)
    async with RawUpstream([answer(down)]) as upstream:
        assert await fetch(transport, post(upstream, up)) == down
        assert upstream.requests[0].body == up


async def test_headers_arrive_as_given_and_nothing_is_added(transport: Transport) -> None:
    given = {
        "user-agent": "iFlow-Cli",
        "X-B": "2",
        "authorization": "Bearer k",
        "x-a": "",
        "Accept": "*/*",
    }
    async with RawUpstream([OK]) as upstream:
        await fetch(transport, UpstreamRequest(url=f"{upstream.url}/p?q=%2F&r", headers=given, body=b"12345"))
        seen = upstream.requests[0]
    assert (seen.method, seen.target) == ("POST", "/p?q=%2F&r")
    assert seen.headers == (
        ("Host", f"127.0.0.1:{upstream.port}"),
        *given.items(),
        ("Accept-Encoding", "identity"),
        ("Content-Length", "5"),
    )


async def test_an_accept_encoding_of_the_caller_is_kept(transport: Transport) -> None:
    async with RawUpstream([OK]) as upstream:
        await fetch(transport, UpstreamRequest(url=upstream.url, headers={"accept-encoding": "gzip"}, body=b"1"))
        assert [v for k, v in upstream.requests[0].headers if k.lower() == "accept-encoding"] == ["gzip"]


async def test_requests_on_one_handle_do_not_inherit_from_each_other(transport: Transport) -> None:
    async with RawUpstream([OK]) as upstream:
        await fetch(transport, UpstreamRequest(url=upstream.url + "/1", headers={"X-One": "1"}, body=b"first"))
        await fetch(transport, UpstreamRequest(url=upstream.url + "/2", headers={"X-Two": "2"}, method="GET"))
        await fetch(transport, UpstreamRequest(url=upstream.url + "/3", headers={}, body=b""))
        first, second, third = upstream.requests
    assert (first.method, first.body, first.header("x-one")) == ("POST", b"first", "1")
    assert (second.method, second.body, second.header("x-one")) == ("GET", b"", None)
    assert second.header("content-length") is None
    assert (third.method, third.body, third.header("content-length")) == ("POST", b"", "0")


async def test_a_header_cannot_smuggle_a_line(transport: Transport) -> None:
    async with RawUpstream([OK]) as upstream:
        with pytest.raises(ValueError, match="header"):
            await transport.send(UpstreamRequest(url=upstream.url, headers={"X": "1\r\nEvil: yes"}, body=b"1"))
        assert upstream.requests == []


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 404, 429, 500, 503, 529])
async def test_every_final_status_passes(transport: Transport, status: int) -> None:
    whole = head(status) if status == 204 else answer(b"body", status)
    async with RawUpstream([whole]) as upstream:
        reply = await transport.send(post(upstream))
        assert reply.status == status
        assert await read_all(reply) == (b"" if status == 204 else b"body")
        reply.close()


async def test_reply_headers_have_lower_case_names_and_the_first_value_wins(transport: Transport) -> None:
    lines = b"HTTP/1.1 200 OK\r\nRetry-After: 3\r\nretry-after: 9\r\nX-Id:  a b \r\nContent-Length: 0\r\n\r\n"
    async with RawUpstream([lines]) as upstream:
        reply = await transport.send(post(upstream))
        assert dict(reply.headers) == {"retry-after": "3", "x-id": "a b", "content-length": "0"}
        reply.close()


async def test_a_reply_read_to_its_end_gives_its_connection_back(transport: Transport) -> None:
    async with RawUpstream([OK], [stream_head(), event("x"), LAST_CHUNK], [OK]) as upstream:
        for _ in range(6):
            await fetch(transport, post(upstream))
        assert len(upstream.connections) == 1


async def test_two_hundred_streams_run_side_by_side(transport: Transport) -> None:
    go = asyncio.Event()
    async with RawUpstream([stream_head(), event("a"), wait_for(go), event("b"), LAST_CHUNK]) as upstream:
        replies = await asyncio.gather(*(transport.send(post(upstream)) for _ in range(200)))
        assert {await reply.read() for reply in replies} == {b"data: a\n\n"}
        go.set()
        rest = await asyncio.gather(*(read_all(reply) for reply in replies))
        for reply in replies:
            reply.close()
    assert set(rest) == {b"data: b\n\n"}


async def test_an_upstream_that_is_not_read_stops_sending(transport: Transport) -> None:
    times = 1024
    async with RawUpstream([stream_head(), flood(chunk(b"z" * 65536), times), LAST_CHUNK]) as upstream:
        before = rss_bytes()
        reply = await transport.send(post(upstream))
        await asyncio.sleep(0.3)
        stalled_at = upstream.connections[0].sent_bytes
        await asyncio.sleep(0.2)
        assert upstream.connections[0].sent_bytes == stalled_at < 16 * MB
        assert rss_bytes() - before < 20 * MB
        total = 0
        while piece := await reply.read():
            total += len(piece)
        reply.close()
        assert total == 65536 * times
        assert rss_bytes() - before < 20 * MB


async def test_cancelling_before_the_head_closes_the_socket(transport: Transport) -> None:
    async with RawUpstream([hang]) as upstream:
        sending = asyncio.ensure_future(transport.send(post(upstream)))
        await upstream.got(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)


async def test_cancelling_an_upload_that_nobody_reads_closes_the_socket(transport: Transport) -> None:
    async def stop_reading(connection: object) -> None:
        upstream.connections[0].transport.pause_reading()

    async with RawUpstream([OK], on_connect=[stop_reading]) as upstream:
        sending = asyncio.ensure_future(transport.send(post(upstream, b"x" * (16 * MB))))
        await asyncio.sleep(0.1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        received = upstream.connections[0].received_bytes
        upstream.connections[0].transport.resume_reading()
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)
        assert upstream.connections[0].received_bytes - received < 12 * MB


@pytest.mark.parametrize("leave", ["close", "cancel"])
async def test_f47_leaving_mid_body_closes_the_socket(transport: Transport, leave: str) -> None:
    async with RawUpstream([stream_head(), event("one"), hang]) as upstream:
        reply = await transport.send(post(upstream))
        await reply.read()
        if leave == "cancel":
            reading = asyncio.ensure_future(reply.read())
            await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        reply.close()
        reply.close()
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)


async def test_aclose_ends_what_is_still_open(options: TransportOptions) -> None:
    async with RawUpstream([OK], [stream_head(), event("one"), hang]) as upstream:
        async with opened(options) as transport:
            await fetch(transport, post(upstream))
            reply = await transport.send(post(upstream))
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)
        reply.close()


@pytest.mark.parametrize("script", [[hang], [stream_head(), hang]], ids=["head", "body"])
async def test_aclose_wakes_whoever_waits(options: TransportOptions, script: Script) -> None:
    async with RawUpstream(script) as upstream:
        transport = open_transport(options)
        fetching = asyncio.ensure_future(fetch(transport, post(upstream)))
        await upstream.got(1)
        await asyncio.sleep(0.02)
        await transport.aclose()
        async with asyncio.timeout(1):
            with pytest.raises(GatewayError):
                await fetching


async def test_f12_no_head_ever_ends_at_the_first_byte_limit(transport: Transport) -> None:
    async with RawUpstream([hang]) as upstream:
        deadline = Deadline(Limits(first_byte_s=0.15))
        with pytest.raises(TimedOut) as caught, deadline:
            await transport.send(post(upstream))
        deadline.close()
        assert caught.value.limit == "first_byte"
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)


@pytest.mark.parametrize("start", [[answer(b"x" * 9)[:-4]], [stream_head(), event("one")]], ids=["f13", "f14"])
async def test_a_stalled_body_ends_at_the_idle_limit(transport: Transport, start: Script) -> None:
    async with RawUpstream([*start, hang]) as upstream:
        deadline = Deadline(Limits(idle_s=0.15))
        with deadline:
            reply = await transport.send(post(upstream))
        deadline.saw_head()
        with deadline:
            assert await reply.read()
        with pytest.raises(TimedOut) as caught, deadline:
            await reply.read()
        deadline.close()
        reply.close()
        assert caught.value.limit == "idle"
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)


async def test_f19_header_bytes_for_ever_end_at_the_first_byte_limit(transport: Transport) -> None:
    async def drip(connection: object) -> None:
        await upstream.connections[0].send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await upstream.connections[0].send(b"X: y\r\n")
            await asyncio.sleep(0.02)

    async with RawUpstream([drip]) as upstream:
        deadline = Deadline(Limits(first_byte_s=0.2, idle_s=0.1))
        with pytest.raises(TimedOut) as caught, deadline:
            await transport.send(post(upstream))
        deadline.close()
        assert caught.value.limit == "first_byte"


async def test_connecting_to_a_full_backlog_times_out(options: TransportOptions) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            async with opened(replace(options, connect_timeout_s=0.3)) as transport:
                with pytest.raises(ConnectTimedOut, match=r"0\.3 s"):
                    await transport.send(UpstreamRequest(url=f"http://127.0.0.1:{address[1]}/", headers={}, body=b"{}"))
        finally:
            for filler in fillers:
                filler.close()


async def test_a_tls_handshake_that_never_answers_times_out(options: TransportOptions) -> None:
    async with (
        RawUpstream([hang], on_connect=[hang]) as upstream,
        opened(replace(options, connect_timeout_s=0.3)) as it,
    ):
        with pytest.raises(ConnectTimedOut):
            await it.send(UpstreamRequest(url=upstream.url.replace("http:", "https:"), headers={}, body=b"{}"))


async def test_f1_a_refused_connection_is_unreachable(transport: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unreachable) as caught:
            await transport.send(UpstreamRequest(url=f"http://127.0.0.1:{port}/", headers={}, body=b"{}"))
    assert str(port) not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_f2_a_reset_at_accept_is_worth_another_attempt(transport: Transport, tls: bool) -> None:
    async with RawUpstream([OK], on_connect=[reset]) as upstream:
        url = upstream.url.replace("http:", "https:") if tls else upstream.url
        with pytest.raises((Unreachable, ConnectionLost)):
            await transport.send(UpstreamRequest(url=url, headers={}, body=b"{}"))


async def test_f4_a_name_that_does_not_resolve_is_unreachable(transport: Transport) -> None:
    with pytest.raises(Unreachable, match="resolve"):
        await transport.send(UpstreamRequest(url="http://no-such-host.invalid/", headers={}, body=b"{}"))
