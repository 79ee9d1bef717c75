"""An HTTP/2 upstream that knows just enough frames to misbehave in them (RFC 9113). TLS only, as in real life.

    async with H2Upstream(tls, [headers(), data(b"{}"), END]) as upstream: ...

Each request gets the next script; the last one repeats. A step is given the stream's number and answers bytes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from tests.support.listening import Listening

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0, 2, 7

Step: TypeAlias = Callable[[int], bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def headers(content_type: str = "application/json") -> Step:
    """Status 200 (row 8 of HPACK's static table) and a content type (row 31, as a literal)."""
    block = b"\x88\x0f\x10" + bytes([len(content_type)]) + content_type.encode()
    return lambda stream: frame(HEADERS, END_HEADERS, stream, block)


def data(body: bytes, *, is_last: bool = False) -> Step:
    return lambda stream: frame(DATA, END_STREAM if is_last else 0, stream, body)


def rst(code: int) -> Step:
    return lambda stream: frame(RST_STREAM, 0, stream, code.to_bytes(4))


def goaway(*, is_below: bool, code: int = NO_ERROR) -> Step:
    """No further requests here; with `is_below` not even this one was looked at."""
    return lambda stream: frame(GOAWAY, 0, 0, (0 if is_below else stream).to_bytes(4) + code.to_bytes(4))


def settings_flood(times: int) -> Step:
    return lambda stream: frame(SETTINGS, 0, 0) * times


class H2Upstream(Listening):
    """Serves on 127.0.0.1 while its `async with` block runs."""

    def __init__(self, tls: ssl.SSLContext, *scripts: Sequence[Step]) -> None:
        tls.set_alpn_protocols(["h2"])
        super().__init__(tls)
        self._scripts = scripts
        self.requests = 0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(PREFACE)) == PREFACE
        writer.write(frame(SETTINGS, 0, 0))
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            if kind == SETTINGS and not flags & ACK:
                writer.write(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                writer.write(frame(PING, ACK, 0, payload))
            elif kind in (HEADERS, DATA) and flags & END_STREAM:
                self.requests += 1
                for step in self._scripts[min(self.requests, len(self._scripts)) - 1]:
                    writer.write(step(stream))
                await writer.drain()
