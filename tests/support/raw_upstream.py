"""A scripted upstream on a real socket that can misbehave byte by byte.

    async with RawUpstream([answer(b"{}")], [partial_head, reset]) as upstream:
        ... upstream.url, upstream.requests, upstream.connections ...

Each request gets the next script; the last script repeats. A script is a list of steps, played after the whole
request has arrived: bytes are sent as they are, anything else is an async function that is given the connection.
Reading goes on beside the script, so `connection.closed_at` is exact even while a script sleeps.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast


class Gone(Exception):
    """The peer hung up, so the rest of the script cannot be played."""


@dataclass(frozen=True)
class SeenRequest:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """In the order and spelling of the wire."""
    body: bytes
    connection: Connection

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Connection(asyncio.Protocol):
    """One accepted socket: what came, what went, and when it ended."""

    def __init__(self, upstream: RawUpstream) -> None:
        self._upstream = upstream
        self._inbox = bytearray()
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.transport: asyncio.Transport
        self.requests: list[SeenRequest] = []
        self.received_bytes = 0
        self.sent_bytes = 0
        self.opened_at = 0.0
        self.closed_at: float | None = None
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.opened_at = asyncio.get_running_loop().time()
        self._upstream.accepted(self)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._inbox += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed_at = asyncio.get_running_loop().time()
        self.gone.set()
        self._news.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def send(self, data: bytes) -> None:
        """Send, and wait while the peer does not read."""
        if self.gone.is_set():
            raise Gone
        self.transport.write(data)
        await self._may_write.wait()
        if self.gone.is_set():
            raise Gone
        self.sent_bytes += len(data)

    async def next_request(self) -> SeenRequest | None:
        """The next whole request, None when the peer hung up."""
        while (request := self._parse()) is None:
            if self.gone.is_set():
                return None
            self._news.clear()
            await self._news.wait()
        self.requests.append(request)
        return request

    def _parse(self) -> SeenRequest | None:
        head, mark, rest = bytes(self._inbox).partition(b"\r\n\r\n")
        if not mark:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = tuple((name, value.lstrip(" ")) for name, _, value in (line.partition(":") for line in lines))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        if len(rest) < length:
            return None
        del self._inbox[: len(head) + 4 + length]
        return SeenRequest(method, target, headers, rest[:length], self)


Step = bytes | Callable[[Connection], Awaitable[None]]
Script = Sequence[Step]


class RawUpstream:
    """Serves on 127.0.0.1 while its `async with` block runs."""

    def __init__(
        self, *scripts: Script, on_connect: Script = (), tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._scripts = list(scripts)
        self._on_connect = on_connect
        self._tls = tls
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self._arrived = asyncio.Event()
        self.port = 0
        self.requests: list[SeenRequest] = []
        self.connections: list[Connection] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    async def got(self, count: int) -> None:
        """Wait until that many requests have arrived in full."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def then(self, *scripts: Script) -> None:
        """Add scripts for the requests to come."""
        self._scripts += scripts

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", 0, ssl=self._tls, backlog=1024, start_serving=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for connection in self.connections:
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def accepted(self, connection: Connection) -> None:
        self.connections.append(connection)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            await _play(self._on_connect, connection)
            while (request := await connection.next_request()) is not None:
                self.requests.append(request)
                self._arrived.set()
                script = self._scripts[min(len(self.requests), len(self._scripts)) - 1] if self._scripts else ()
                await _play(script, connection)
        except Gone:
            pass


async def _play(script: Script, connection: Connection) -> None:
    for step in script:
        if isinstance(step, bytes):
            await connection.send(step)
        else:
            await step(connection)


# --- steps --------------------------------------------------------------------------------------------------------


def sleep(seconds: float) -> Step:
    async def step(connection: Connection) -> None:
        await asyncio.sleep(seconds)

    return step


def wait_for(event: asyncio.Event) -> Step:
    async def step(connection: Connection) -> None:
        await event.wait()

    return step


def flood(piece: bytes, times: int) -> Step:
    """Send `piece` again and again, as fast as the peer takes it."""

    async def step(connection: Connection) -> None:
        for _ in range(times):
            await connection.send(piece)

    return step


async def hang(connection: Connection) -> None:
    """Say nothing until the peer leaves."""
    await connection.gone.wait()


async def close(connection: Connection) -> None:
    """FIN, after everything written."""
    connection.transport.close()
    await connection.gone.wait()


async def half_close(connection: Connection) -> None:
    """FIN in our direction only; what the peer sends is still read."""
    if connection.gone.is_set():
        raise Gone
    connection.transport.write_eof()


async def reset(connection: Connection) -> None:
    """RST: a close with SO_LINGER 0."""
    if connection.gone.is_set():
        raise Gone
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()
    await connection.gone.wait()


# --- bytes --------------------------------------------------------------------------------------------------------

LAST_CHUNK = b"0\r\n\r\n"


def head(status: int | str = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A response head with its empty line; `status` may carry a reason."""
    line = f"{status} OK" if isinstance(status, int) else status
    lines = [f"HTTP/1.1 {line}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def answer(body: bytes, status: int | str = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer with Content-Length; JSON unless the headers say otherwise."""
    base = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(status, base | dict(headers or {})) + body


def stream_head(headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a chunked event stream."""
    return head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"} | dict(headers or {}))


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(data: str) -> bytes:
    """One SSE event in one HTTP chunk."""
    return chunk(f"data: {data}\n\n".encode())
