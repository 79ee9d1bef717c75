"""How an answer of the demo leaves: whole, step by step, or not at all. Refuses to know what it says and why."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web

from iflow_cli_proxy.demo.faults import Happening, Pause, Plain, Step

_TRACE: Final = {"eagleeye-traceid": "0000000000000000demo"}


def whole(plain: Plain) -> web.Response:
    return web.Response(status=plain.status, body=plain.body, headers={**plain.headers, **_headers(plain.content_type)})


async def play(
    request: web.Request, steps: Iterator[Step], content_type: str, closing: asyncio.Event
) -> web.StreamResponse:
    """Do what the steps say until they or the demo end. The head goes out with the first that has something to send."""
    response = web.StreamResponse(headers=_headers(content_type))
    for step in steps:
        if step is Happening.HANG:
            await closing.wait()
        if isinstance(step, Happening):
            hang_up(request, is_reset=step is Happening.RESET)
            return response
        if not response.prepared:
            await response.prepare(request)
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif step:
            await response.write(step)
    await response.write_eof()
    return response


def hang_up(request: web.Request, *, is_reset: bool = False) -> web.StreamResponse:
    """End the connection without ending the answer; what a handler may return instead of one."""
    transport = request.transport
    if transport is not None:
        if is_reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.StreamResponse()


def _headers(content_type: str) -> Mapping[str, str]:
    return {"Content-Type": content_type, **_TRACE}
