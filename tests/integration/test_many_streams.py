"""Rows F47 and L9: many streams whose clients come and go, and nothing that stays behind when they have gone."""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.faults import ROLE, STOP, Facing, facing, piece
from tests.support.gateway import chat_body
from tests.support.patience import until
from tests.support.raw_client import RawClient
from tests.support.raw_upstream import LAST_CHUNK, Connection, event, stream_head
from tests.support.transports import MB, rss_bytes

PIECES: Final = 6
LEAVING: Final = 0.5
"""The share of streams that are left by their clients."""
ENDLESS: Final = "endless"
"""What is asked by those who will leave: the upstream goes on until it is hung up on."""
FILES: Final = 8192
"""A stream has two sockets here and two at the ends of ours."""


@dataclass(frozen=True)
class Held:
    """What is in use."""

    upstream_connections: int
    tasks: int
    in_flight: int
    waiting: int


class Crowd:
    """Clients that each ask for one stream after another and leave when they like."""

    def __init__(self, it: Facing, *, pause_s: float, seed: int = 1) -> None:
        self._it = it
        self._pause_s = pause_s
        self._rng = random.Random(seed)
        self.seen: Counter[str] = Counter()

    async def stay(self, clients: int, seconds: float) -> None:
        """`clients` at one time for `seconds`, then until the last of them has what it waits for."""
        ends_at = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._come_again(number, ends_at))

    async def _come_again(self, number: int, ends_at: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._rng.random() * self._pause_s)
        turn = 0
        while loop.time() < ends_at:
            if self._rng.random() < LEAVING:
                await self._leave(f"{ENDLESS}{number}x{turn}")
            else:
                self.seen[await self._ask(f"word{number}x{turn}")] += 1
            turn += 1
            self._forget()

    async def _ask(self, word: str) -> str:
        client = await self._asking(word)
        try:
            said = await client.reader.read(-1)
        finally:
            client.writer.transport.abort()
        own, anybodys = said.count(f'"content":"{word}"'.encode()), said.count(b'"content":"word')
        is_whole = said.startswith(b"HTTP/1.1 200 ") and said.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        return "whole" if is_whole and own == anybodys == PIECES else f"damaged: {said[-300:]!r}"

    async def _leave(self, word: str) -> None:
        """Ask, read for a while, and go by FIN or by RST."""
        client = await self._asking(word)
        try:
            async with asyncio.timeout(self._rng.random() * self._pause_s * PIECES):
                await client.reader.read(-1)
            self.seen["ended an endless stream"] += 1
        except TimeoutError:
            self.seen["left"] += 1
        if self._rng.random() < 0.5:
            sock: socket.socket = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()

    async def _asking(self, word: str) -> RawClient:
        client = await RawClient.connect(self._it.gateway.port)
        body = jsonx.encode(chat_body(stream=True, messages=[{"role": "user", "content": word}]))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        client.writer.write(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return client

    def _forget(self) -> None:
        """What the fakes have noted of the past is not what the gateway holds."""
        upstream = self._it.upstream
        if len(upstream.requests) > 500:
            upstream.requests.clear()
            upstream.connections[:] = [each for each in upstream.connections if not each.gone.is_set()]
            self._it.gateway.exchanges.clear()


def slow_stream(pause_s: float) -> list[object]:
    """The client's own word again and again, and the connection is not to be kept."""

    async def play(connection: Connection) -> None:
        word = jsonx.decode(connection.requests[-1].body)["messages"][0]["content"]
        await connection.send(stream_head({"Connection": "close"}) + event(ROLE))
        for _ in count() if word.startswith(ENDLESS) else range(PIECES):
            await connection.send(event(piece(word)))
            await asyncio.sleep(pause_s)
        await connection.send(event(STOP) + event("[DONE]") + LAST_CHUNK)

    return [play]


def held(it: Facing) -> Held:
    return Held(
        upstream_connections=sum(not each.gone.is_set() for each in it.upstream.connections),
        tasks=len(asyncio.all_tasks()),
        in_flight=it.gateway.in_flight,
        waiting=it.gateway.services.turnstile.waiting,
    )


async def expect_back(it: Facing, before: Held) -> None:
    with suppress(TimeoutError):
        await until(lambda: held(it) == before)
    assert held(it) == before


@contextmanager
def enough_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in (resource.RLIM_INFINITY, -1) and hard < FILES:
        pytest.skip(f"this machine allows only {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def expect_nothing_left(clients: int, seconds: float, *, pause_s: float, grown_mb: int) -> None:
    limits = "first_byte_timeout_s = 60\nidle_timeout_s = 60\ncontent_timeout_s = 60"
    async with facing("plain", slow_stream(pause_s), more=limits) as it:  # type: ignore[arg-type]
        crowd = Crowd(it, pause_s=pause_s)
        before = held(it)
        await crowd.stay(clients, 2 * pause_s * PIECES)  # as many at once as there will ever be
        await expect_back(it, before)
        gc.collect()
        rss_before = rss_bytes()
        await crowd.stay(clients, seconds)
        await expect_back(it, before)
        gc.collect()
        grown = rss_bytes() - rss_before
    assert crowd.seen.keys() == {"whole", "left"}, crowd.seen
    assert min(crowd.seen.values()) > clients / 2, crowd.seen
    assert grown < grown_mb * MB, f"{grown / MB:.0f} MB more"


async def test_f47_sixty_streams_come_and_go_and_leave_nothing() -> None:
    await expect_nothing_left(60, 2.5, pause_s=0.1, grown_mb=20)


@pytest.mark.soak
async def test_l9_a_thousand_streams_come_and_go_for_a_minute_and_leave_nothing() -> None:
    with enough_files():
        await expect_nothing_left(1000, 60, pause_s=1.0, grown_mb=20)
