"""A client that sends whatever bytes a test wants, and reads answers without believing them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from tests.support.patience import PATIENCE_S

_STATUS_LINE = b"HTTP/1."


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return jsonx.decode(self.body)


class RawClient:
    """One TCP connection to 127.0.0.1; `await RawClient.connect(port)`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> RawClient:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def send(self, *packets: bytes) -> None:
        """Each packet is read by the other side before the next one goes out, as far as one loop can promise that."""
        for packet in packets:
            self.writer.write(packet)
            for _ in range(6):
                await asyncio.sleep(0)
            await asyncio.sleep(0.002)

    async def answer(self) -> RawAnswer:
        """The next answer; its length must be declared."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return RawAnswer(int(head[0].split(" ")[1]), headers, body)

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""

    async def rest_of_answer(self, end: bytes) -> bytes:
        """Everything up to and with `end`, for answers that do not close the connection."""
        data = b""
        async with asyncio.timeout(PATIENCE_S):
            while not data.endswith(end):
                piece = await self.reader.read(1 << 20)
                assert piece, f"closed before {end!r}: {data[-200:]!r}"
                data += piece
        return data

    async def is_closed_by_peer(self) -> bool:
        """Whether the other side has closed without a word; waits for a moment."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.close()


Dial: TypeAlias = Callable[[int], Awaitable[RawClient]]
"""Connects to a port; whoever hands it out closes what was opened."""


async def talk(port: int, *packets: bytes) -> list[RawAnswer]:
    """Send the packets, wait until the server closes, and return every answer it gave."""
    client = await RawClient.connect(port)
    try:
        await client.send(*packets)
        return split(await client.rest())
    finally:
        client.close()


async def ask(port: int, request: bytes) -> RawAnswer:
    """One request, one answer, whatever becomes of the connection."""
    client = await RawClient.connect(port)
    try:
        await client.send(request)
        return await client.answer()
    finally:
        client.close()


def split(data: bytes) -> list[RawAnswer]:
    """The answers in `data`; fails on bytes that belong to none."""
    answers = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, f"not an answer: {head[:200]!r}"
        assert head.startswith(_STATUS_LINE), f"not an answer: {head[:200]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        answers.append(RawAnswer(int(first.split(" ")[1]), headers, data[:length]))
        data = data[length:]
    return answers
