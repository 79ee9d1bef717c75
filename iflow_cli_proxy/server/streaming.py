"""The client's side of one answer: head, frames, pings in silence, backpressure, an end nobody can miss.

Nothing is queued here: a frame is read from upstream when the last one is out. A client that stops reading therefore
stops its upstream; that it is cut off in the end is its connection's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from aiohttp import web

from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import StreamAnswer, WholeAnswer
from iflow_cli_proxy.protocols.base import Codec, Voice
from iflow_cli_proxy.server.background import Supervisor

Keep: TypeAlias = Callable[[], None]
"""Called before a piece goes out, for whoever keeps answers that are whole."""

_HEAD: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class ClientAnswer:
    """A stream, opened by its first frame or, when the upstream is silent for long, by a ping; or one JSON body."""

    def __init__(
        self,
        request: web.Request,
        exchange: Exchange,
        codec: Codec,
        settings: ServerSettings,
        supervisor: Supervisor,
    ) -> None:
        self.ending: GatewayError | None = None
        """Why the server itself ended this answer."""
        self._request = request
        self.exchange = exchange
        self._flight = exchange.flight
        self._codec = codec
        self._silence_s = settings.keepalive_s
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._response: web.StreamResponse | None = None
        self._opening = asyncio.Lock()
        self._is_complete = False
        """Nothing of it is still to come from anywhere but this object."""
        self._is_writing = False
        self._wrote_at = self._loop.time()
        self._timer = self._loop.call_later(self._silence_s, self._look)

    @property
    def is_open(self) -> bool:
        return self._response is not None

    @property
    def _voice(self) -> Voice:
        return self.exchange.voice or self._codec

    async def send(self, answer: WholeAnswer, keep: Keep | None = None) -> web.StreamResponse:
        """Write a body that is all there."""
        if keep is not None:
            keep()
        self._is_complete = self.exchange.is_committed = True
        self.exchange.bytes_out = len(answer.body)
        if self._flight is not None:
            self._flight.answers(answer.body)
        response = web.Response(body=answer.body, content_type="application/json", headers=dict(answer.headers))
        await response.prepare(self._request)
        await response.write_eof()
        return response

    async def relay(self, answer: StreamAnswer, keep: Keep | None = None) -> web.StreamResponse:
        """Write everything `answer` has; it is closed in any case."""
        try:
            response = await self._open(answer.headers)
            while frames := await answer.read():
                if keep is not None:
                    keep()
                await self._write(frames)
            self._is_complete = True
            await response.write_eof()
            self.exchange.status = response.status
            return response
        finally:
            await answer.aclose()

    async def fail(self, error: GatewayError) -> web.StreamResponse:
        """End an open stream with the protocol's error event, and the chunked body properly."""
        self._is_complete = True
        self.exchange.error_kind = error.kind
        if self._flight is not None:
            self._flight.fails(error)
        response = await self._open({})
        await self._write(self._voice.stream_error(error))
        await response.write_eof()
        return response

    def end(self, error: GatewayError) -> None:
        """Make the handler stop waiting and say `error` instead; an answer that is all written stays as it is."""
        if self._task is not None and self.ending is None and not self._is_complete:
            self.ending = error
            self._task.cancel()

    def close(self) -> None:
        """The handler is done, whatever it answered."""
        self._is_complete = True
        self._timer.cancel()

    async def _open(self, headers: Mapping[str, str]) -> web.StreamResponse:
        async with self._opening:
            if self._response is None:
                response = web.StreamResponse(headers={"content-type": self._voice.stream_type, **_HEAD, **headers})
                self.exchange.is_committed = True
                await response.prepare(self._request)
                self._response = response
                self._wrote_at = self._loop.time()
            return self._response

    async def _write(self, frames: bytes) -> None:
        assert self._response is not None
        self._is_writing = True
        await self._response.write(frames)
        self._is_writing = False
        self._wrote_at = self._loop.time()
        self.exchange.bytes_out += len(frames)
        if self._flight is not None:
            self._flight.answered.add(frames)

    async def _ping(self) -> None:
        if self._is_complete:
            return  # in the tick that made this task the handler ended, and whatever it answered is on its way
        await self._open({})
        if not self._is_writing and not self._is_complete:
            await self._write(self._voice.ping)

    def _look(self) -> None:
        """Ping if it was silent for long; the timer is moved only when it fires too early.

        A ping opens the stream with status 200. A request that nobody answers at the moment (it waits for an account, a
        newer credential, an image) may yet be refused, which takes a status of its own, so it gets none.
        """
        silent_s = self._loop.time() - self._wrote_at
        is_silent = silent_s >= self._silence_s
        is_due = self.exchange.is_stream and (self.is_open or self.exchange.is_asking)
        may_ping = is_due and bool(self._voice.ping)
        if is_silent and may_ping and not self._has_unsent_bytes():
            self._supervisor.run_once("ping", self._ping())
        self._timer = self._loop.call_later(self._silence_s - (0 if is_silent else silent_s), self._look)

    def _has_unsent_bytes(self) -> bool:
        """Whether the client is behind; it has something to read then, and pings would only pile up."""
        transport = self._request.transport
        return transport is not None and transport.get_write_buffer_size() > 0
