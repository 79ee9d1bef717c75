"""What the contract tests of the transports share: a request, ways to read an answer, and how much memory we hold."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import Transport, TransportOptions, UpstreamReply, UpstreamRequest
from tests.support.raw_upstream import RawUpstream, answer

OK = answer(b'{"ok":true}')
MB = 1024 * 1024


@asynccontextmanager
async def opened(options: TransportOptions) -> AsyncIterator[Transport]:
    transport = open_transport(options)
    try:
        yield transport
    finally:
        await transport.aclose()


def post(upstream: RawUpstream, body: bytes = b"{}", path: str = "/v1/chat/completions") -> UpstreamRequest:
    return UpstreamRequest(url=upstream.url + path, headers={"Content-Type": "application/json"}, body=body)


async def read_all(reply: UpstreamReply) -> bytes:
    pieces = []
    while piece := await reply.read():
        pieces.append(piece)
    return b"".join(pieces)


async def fetch(transport: Transport, request: UpstreamRequest) -> bytes:
    """Send, read to the end, close."""
    reply = await transport.send(request)
    try:
        return await read_all(reply)
    finally:
        reply.close()


async def fetch_until_fault(transport: Transport, request: UpstreamRequest) -> tuple[bytes, GatewayError]:
    """What was delivered, and the fault that had to come."""
    pieces: list[bytes] = []
    try:
        reply = await transport.send(request)
        try:
            while piece := await reply.read():
                pieces.append(piece)
        finally:
            reply.close()
    except GatewayError as fault:
        return b"".join(pieces), fault
    pytest.fail("the answer counted as whole")


def rss_bytes() -> int:
    """The memory this process holds now, 0 where the kernel does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else 0
