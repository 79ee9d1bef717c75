"""Two small proxies on loopback: HTTP (CONNECT and absolute URLs) and SOCKS5. Both can ask for a password."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
from urllib.parse import urlsplit

from tests.support.listening import Listening


class TunnelProxy(Listening):
    """What both have in common: serve, count, and copy bytes both ways."""

    scheme = "http"

    def __init__(self, *, user: str = "", password: str = "", silent: bool = False, refuse: bool = False) -> None:
        super().__init__()
        self._user = user
        self._password = password
        self._silent = silent
        self._refuse = refuse
        self.targets: list[str] = []
        """`host:port` of every tunnel or request, as the client named it."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def url_with(self, user: str, password: str) -> str:
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._silent:
            await reader.read()
        else:
            await self._speak(reader, writer)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes = b""
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        far_writer.write(first)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        finally:
            far_writer.transport.abort()


class HttpProxy(TunnelProxy):
    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, version = first.split(" ")
        expected = "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        given = [line.partition(": ")[2] for line in lines if line.lower().startswith("proxy-authorization:")]
        if self._user and given != [expected]:
            writer.write(b"HTTP/1.1 407 Nope\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if self._refuse:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            self.targets.append(target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self._tunnel(reader, writer, host, int(port))
            return
        url = urlsplit(target)
        self.targets.append(url.netloc)
        kept = [line for line in lines if not line.lower().startswith("proxy-")]
        path = url.path + (f"?{url.query}" if url.query else "")
        rest = "\r\n".join([f"{method} {path} {version}", *kept]).encode("latin-1") + b"\r\n\r\n"
        await self._tunnel(reader, writer, url.hostname or "", url.port or 80, rest)


class SocksProxy(TunnelProxy):
    scheme = "socks5"

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if self._user:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                await writer.drain()
                return
            writer.write(b"\x05\x02")
            _, size = await reader.readexactly(2)
            user = await reader.readexactly(size)
            (size,) = await reader.readexactly(1)
            password = await reader.readexactly(size)
            is_right = (user.decode(), password.decode()) == (self._user, self._password)
            writer.write(b"\x01\x00" if is_right else b"\x01\x01")
            await writer.drain()
            if not is_right:
                return
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 1:
            host = ".".join(str(byte) for byte in await reader.readexactly(4))
        elif kind == 4:
            host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
        else:
            (size,) = await reader.readexactly(1)
            host = (await reader.readexactly(size)).decode()
        port = int.from_bytes(await reader.readexactly(2))
        self.targets.append(f"{host}:{port}")
        if self._refuse:
            writer.write(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
            await writer.drain()
            return
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await self._tunnel(reader, writer, host, port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
