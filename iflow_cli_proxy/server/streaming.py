"""The client's side of a streamed answer: head, frames, pings in silence, backpressure, an end nobody can miss.

One lazily re-armed timer watches each stream: it pings when nothing was written for a while, and cuts off a client
that takes nothing for too long (L7). Nothing is queued here: a frame is read from upstream when the last one is out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import StreamAnswer
from iflow_cli_proxy.protocols.base import Codec
from iflow_cli_proxy.server.background import Supervisor
from iflow_cli_proxy.server.middleware.request_id import HEADER

_HEAD: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class ClientStream:
    """Opened by the first frame or, when the upstream is silent for long, by a ping."""

    def __init__(
        self,
        request: web.Request,
        exchange: Exchange,
        codec: Codec,
        settings: ServerSettings,
        supervisor: Supervisor,
    ) -> None:
        self.ending: GatewayError | None = None
        """Why the server itself ended this stream."""
        self._request = request
        self._exchange = exchange
        self._codec = codec
        self._settings = settings
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._response: web.StreamResponse | None = None
        self._opening = asyncio.Lock()
        self._wrote_at = self._loop.time()
        self._writing_since: float | None = None
        self._unsent = 0
        self._timer = self._loop.call_later(settings.keepalive_s, self._look)

    @property
    def is_open(self) -> bool:
        return self._response is not None

    async def relay(self, answer: StreamAnswer) -> web.StreamResponse:
        """Write everything `answer` has; it is closed in any case."""
        try:
            response = await self._open(answer.headers)
            while frames := await answer.read():
                await self._write(frames)
            await response.write_eof()
            return response
        finally:
            await answer.aclose()

    async def fail(self, error: GatewayError) -> web.StreamResponse:
        """End an open stream with the protocol's error event, and the chunked body properly."""
        response = await self._open({})
        self._exchange.error_kind = error.kind
        await self._write(self._codec.stream_error(error))
        await response.write_eof()
        return response

    def end(self, error: GatewayError) -> None:
        """Make the handler stop waiting for the upstream and say `error` instead."""
        if self._task is not None and self.ending is None:
            self.ending = error
            self._task.cancel()

    def close(self) -> None:
        self._timer.cancel()

    async def _open(self, headers: Mapping[str, str]) -> web.StreamResponse:
        async with self._opening:
            if self._response is None:
                head = {**_HEAD, **headers, HEADER: self._exchange.request_id}
                response = web.StreamResponse(headers=head)
                self._exchange.is_committed = True
                await response.prepare(self._request)
                self._response = response
                self._wrote_at = self._loop.time()
            return self._response

    async def _write(self, frames: bytes) -> None:
        assert self._response is not None
        self._writing_since = self._loop.time()
        await self._response.write(frames)
        self._writing_since = None
        self._wrote_at = self._loop.time()
        self._exchange.bytes_out += len(frames)

    async def _ping(self) -> None:
        await self._open({})
        if self._writing_since is None:
            await self._write(self._codec.ping)

    def _look(self) -> None:
        now, settings = self._loop.time(), self._settings
        if self._writing_since is not None:
            self._watch_slow_client(now)
            wait_s = min(settings.write_timeout_s / 4, settings.keepalive_s)
        elif now - self._wrote_at >= settings.keepalive_s:
            if self._exchange.is_stream:
                self._supervisor.run_once("ping", self._ping())
            wait_s = settings.keepalive_s
        else:
            wait_s = self._wrote_at + settings.keepalive_s - now
        self._timer = self._loop.call_later(wait_s, self._look)

    def _watch_slow_client(self, now: float) -> None:
        """Cut a client off that took not one byte for `write_timeout_s`; any progress starts the clock again."""
        transport = self._request.transport
        if transport is None or self._writing_since is None:
            return
        unsent = transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._writing_since = now
        elif now - self._writing_since >= self._settings.write_timeout_s:
            transport.abort()
        self._unsent = unsent
