"""The answers a gateway gives: a whole body, or a stream that is read piece by piece until it answers b"".

What goes wrong upstream after the commit point never raises here: it becomes the protocol's error event, and the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol, TypeAlias

import msgspec

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.deadline import Deadline
from iflow_cli_proxy.gateway.pipe import Pipe
from iflow_cli_proxy.protocols.base import Voice
from iflow_cli_proxy.transport.base import UpstreamReply

_DRAIN_S: Final = 0.1
"""How long the end of a finished upstream stream is waited for, so that its connection can be used again."""


class WholeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON answer; everything upstream is already closed."""

    body: bytes
    headers: Mapping[str, str] = {}


class StreamAnswer(Protocol):
    """Read it until b"", then close it; close it also when the client leaves."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def read(self) -> bytes: ...

    async def aclose(self) -> None: ...


Answer: TypeAlias = WholeAnswer | StreamAnswer


class ReadyStream:
    """A stream whose bytes are all there: an upstream answered a stream request with one JSON body."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def aclose(self) -> None:
        self._body = b""


OnEnd: TypeAlias = Callable[[GatewayError | None, bool], None]
"""Told once how a stream ended: what broke it off, and whether it came to any end at all before it was closed."""


class Relay:
    """A stream past its commit point: `ready` is what was held back until then."""

    def __init__(
        self,
        *,
        voice: Voice,
        reply: UpstreamReply,
        deadline: Deadline,
        pipe: Pipe,
        ready: bytes,
        headers: Mapping[str, str],
        on_end: OnEnd,
    ) -> None:
        self.headers = headers
        self._voice = voice
        self._reply = reply
        self._deadline = deadline
        self._pipe = pipe
        self._ready = ready
        self._on_end = on_end
        self._failure: GatewayError | None = None
        self._is_read_out = False
        self._is_closed = False

    async def read(self) -> bytes:
        if self._ready:
            ready, self._ready = self._ready, b""
            return ready
        pipe = self._pipe
        if pipe.failure is not None and self._failure is None:
            return self._break_off(pipe.failure)  # it came together with the content that committed us
        while not pipe.is_over:
            characters = pipe.characters
            try:
                out = await self._next()
            except GatewayError as error:
                return self._break_off(error)
            if pipe.failure is not None:
                return out + self._break_off(pipe.failure)
            if out or pipe.characters != characters:  # what is said may be kept from the client
                self._deadline.saw_content()
            if out:
                return out
        return b""

    async def aclose(self) -> None:
        """Free the account at once; then let the connection go back to the pool, or close it."""
        if self._is_closed:
            return
        self._is_closed = True
        self._deadline.close()
        has_ended = self._pipe.is_over and not self._ready
        try:
            self._on_end(self._failure, has_ended)
            if has_ended and self._failure is None and not self._is_read_out:
                with suppress(GatewayError, TimeoutError):
                    async with asyncio.timeout(_DRAIN_S):
                        await self._reply.read()
        finally:
            self._reply.close()

    async def _next(self) -> bytes:
        """Frames for what arrives next. Raises GatewayError when the upstream fails before its answer is complete."""
        try:
            with self._deadline:
                chunk = await self._reply.read()
        except GatewayError:
            if not self._pipe.is_complete:
                raise
            chunk = b""  # the answer has said why it ended; all that can be missing is usage and the end marker
        if chunk:
            return self._pipe.feed(chunk)
        self._is_read_out = True
        return self._pipe.end()

    def _break_off(self, error: GatewayError) -> bytes:
        self._pipe.is_over = True
        self._failure = error
        return self._voice.stream_error(error)
