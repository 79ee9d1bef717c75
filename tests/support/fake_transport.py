"""A transport without sockets: answers that were written down, and a note of what became of each.

    transport = FakeTransport(FakeReply(b"{}", status=503), ConnectionLost("gone"), FakeReply(GOOD))

Each request gets the next answer; the last one repeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from iflow_cli_proxy.transport.base import UpstreamRequest

Piece: TypeAlias = bytes | Exception | asyncio.Event
"""Bytes of the body, what a read raises, or something a read waits for."""


class FakeReply:
    """One answer, given out piece by piece; at its end b"" for ever."""

    def __init__(self, *pieces: Piece, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {"content-type": "application/json"})
        self.reads = 0
        self.closes = 0
        self._written = pieces
        self._pieces = list(pieces)

    def fresh(self) -> FakeReply:
        """The same answer, not read yet."""
        return FakeReply(*self._written, status=self.status, headers=self.headers)

    @property
    def is_closed(self) -> bool:
        return self.closes > 0

    @property
    def is_read_out(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        assert not self.is_closed, "read after it was closed"
        self.reads += 1
        while self._pieces:
            piece = self._pieces[0]
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            del self._pieces[0]
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                return piece
        return b""

    def close(self) -> None:
        self.closes += 1


Answer: TypeAlias = FakeReply | Exception | asyncio.Event
"""What a request gets: an answer, what sending raises, or something that never lets it come."""


class FakeTransport:
    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[UpstreamRequest] = []
        self.replies: list[FakeReply] = []
        self.is_closed = False

    async def send(self, request: UpstreamRequest) -> FakeReply:
        self.requests.append(request)
        given = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(given, asyncio.Event):
            await given.wait()
            raise AssertionError("this answer was never to come")
        if isinstance(given, Exception):
            raise given
        reply = given.fresh()
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        self.is_closed = True
