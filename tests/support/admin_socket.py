"""A page's WebSocket byte by byte: good frames and every bad one."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from tests.support.admin import Browser
from tests.support.patience import PATIENCE_S
from tests.support.raw_client import RawClient

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10


def frame(kind: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, masks: bool = True) -> bytes:
    """One frame of a client (RFC 6455, section 5.2)."""
    head = bytearray([(0x80 if fin else 0) | rsv << 4 | kind])
    marked = 0x80 if masks else 0
    if len(data) < 126:
        head.append(marked | len(data))
    elif len(data) < 1 << 16:
        head += bytes([marked | 126]) + len(data).to_bytes(2, "big")
    else:
        head += bytes([marked | 127]) + len(data).to_bytes(8, "big")
    mask = os.urandom(4) if masks else b""
    return bytes(head) + mask + (bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if masks else data)


@dataclass
class PageSocket:
    client: RawClient
    status: int
    head: bytes

    async def send(self, *frames: bytes) -> None:
        self.client.writer.write(b"".join(frames))
        await self.client.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next one of the server."""
        async with asyncio.timeout(PATIENCE_S):
            first, second = await self.client.reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self.client.reader.readexactly(2 if length == 126 else 8), "big")
            return first & 0x0F, await self.client.reader.readexactly(length)

    async def document(self, kind: str = "snapshot") -> Any:
        """The next text of that type."""
        while True:
            opcode, data = await self.frame()
            if opcode == PING:
                continue
            assert opcode == TEXT, (opcode, data)
            value = jsonx.decode(data)
            if value["type"] == kind:
                return value

    async def close_code(self) -> int:
        """Of the close frame, whatever comes before it; 0 when the connection ends without one."""
        try:
            while True:
                opcode, data = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(data[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0

    def close(self) -> None:
        self.client.writer.transport.abort()


async def open_socket(
    browser: Browser, path: str = "/admin/ws", *, beside: bytes = b"", **changes: str | None
) -> PageSocket:
    """The handshake of a browser; headers by name with `_` for `-`, None leaves one out. `beside` is in its packet."""
    host = f"127.0.0.1:{browser.gateway.port}"
    headers: dict[str, str | None] = {
        "Host": host,
        "Origin": f"http://{host}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Cookie": f"{browser.cookie_name}={browser.cookie}" if browser.cookie else None,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    client = await RawClient.connect(browser.gateway.port)
    client.writer.write("\r\n".join([*lines, "", ""]).encode() + beside)
    async with asyncio.timeout(PATIENCE_S):
        head = await client.reader.readuntil(b"\r\n\r\n")
    return PageSocket(client, int(head.split(b" ")[1]), head)
