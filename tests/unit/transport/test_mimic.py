from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.curl_handles import Handle, Multi
from iflow_cli_proxy.transport.mimic import BUFFER_BYTES, IDLE_HANDLES, MimicReply, MimicTransport
from tests.support.raw_upstream import RawUpstream, answer, chunk, flood, hang, stream_head


async def test_handles_are_configured_once_and_used_again() -> None:
    transport = MimicTransport(TransportOptions())
    (handle,) = transport._idle
    async with RawUpstream([answer(b"x")]) as upstream:
        for _ in range(3):
            reply = await transport.send(UpstreamRequest(url=upstream.url, headers={"A": "1"}, body=b"{}"))
            assert transport._idle == []
            while await reply.read():
                pass
            reply.close()
            assert transport._idle == [handle]
    await transport.aclose()


async def test_no_more_handles_are_kept_than_agreed() -> None:
    transport = MimicTransport(TransportOptions())
    handle = transport._idle.pop()
    transport._idle = [handle] * IDLE_HANDLES
    spare = Handle(TransportOptions())
    multi = Multi()
    transport.take_back(MimicReply(transport, multi, spare), spare)
    await multi.close()  # type: ignore[no-untyped-call]
    assert len(transport._idle) == IDLE_HANDLES
    assert spare._curl is None
    transport._idle = [handle]
    await transport.aclose()


class Clumsy:
    """Stands between a handle and its reply and fails inside curl's callback."""

    def __init__(self, reply: MimicReply) -> None:
        self._reply = reply

    def on_header(self, line: bytes) -> bool:
        raise ZeroDivisionError

    def on_body(self, data: bytes) -> int:
        raise ZeroDivisionError

    def on_end(self, error: BaseException | None) -> None:
        self._reply.on_end(error)


async def test_a_handle_whose_callback_raised_is_thrown_away() -> None:
    transport = MimicTransport(TransportOptions())
    async with RawUpstream([answer(b"x")]) as upstream:
        request = UpstreamRequest(url=upstream.url, headers={})
        sending = asyncio.ensure_future(transport.send(request))
        await asyncio.sleep(0)
        (reply,) = transport._open
        handle = reply._handle
        assert handle is not None
        handle.receiver = Clumsy(reply)
        with pytest.raises(Malformed):
            await sending
        assert handle.is_spoiled
        assert transport._idle == []
        (await transport.send(request)).close()
    await transport.aclose()


async def test_what_is_buffered_stays_bounded_while_nobody_reads() -> None:
    transport = MimicTransport(TransportOptions())
    async with RawUpstream([stream_head(), flood(chunk(b"z" * 10_000), 1000), hang]) as upstream:
        reply = await transport.send(UpstreamRequest(url=upstream.url, headers={}))
        for _ in range(5):
            await asyncio.sleep(0.03)
            assert reply._size <= BUFFER_BYTES + 65_536
            assert len(await reply.read()) <= BUFFER_BYTES + 65_536
        reply.close()
    await transport.aclose()


async def test_an_answer_that_starts_with_an_empty_line_is_malformed() -> None:
    transport = MimicTransport(TransportOptions())
    async with RawUpstream([b"\r\nSTOLEN", hang]) as upstream:
        for _ in range(2):
            with pytest.raises(Malformed):
                await transport.send(UpstreamRequest(url=upstream.url, headers={}))
    await transport.aclose()
