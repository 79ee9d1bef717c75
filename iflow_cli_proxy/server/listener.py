"""The listening sockets: where the gateway can be reached, and why not.

Knows addresses, ports, backlogs and how a port that is taken is explained. Refuses to know requests: it hands every
accepted socket to a `Connection`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

from aiohttp import web

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.ids import Entropy, request_id
from iflow_cli_proxy.server.connection import Connection, Door, guard
from iflow_cli_proxy.server.descriptors import QuietAccepts, connection_room
from iflow_cli_proxy.server.port_owner import port_owner

Address: TypeAlias = tuple[socket.AddressFamily, str]

BACKLOG: Final = 4096
"""Connections the system may hold for us; Linux takes the smaller of this and net.core.somaxconn."""
_ACCEPTS_PER_TURN: Final = 64
"""asyncio accepts as many as its backlog in one turn of the loop; thousands at once would stall running streams."""
_PORTS_TRIED: Final = 100
_LAST_PORT: Final = 65_535
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The address to call when all of a family are listened on."""


class Listener:
    """Accepts connections for one `web.Server` until `close`; running ones outlive it."""

    def __init__(self, server: web.Server, door: Door, sockets: Sequence[socket.socket]) -> None:
        self._server = server
        self._door = door
        self._sockets = sockets
        self._accepting: list[asyncio.Server] = []
        self._quiet: QuietAccepts | None = None
        self._addresses = [sock.getsockname()[:2] for sock in sockets]

    async def accept(self) -> None:
        """Begin; called once."""
        loop = asyncio.get_running_loop()
        self._quiet = QuietAccepts(loop)
        guard(self._server, self._door)
        for sock in self._sockets:
            accepting = await loop.create_server(self._connect, sock=sock, backlog=_ACCEPTS_PER_TURN)
            sock.listen(BACKLOG)  # again: asyncio has just lowered it
            self._accepting.append(accepting)

    def _connect(self) -> Connection:
        return Connection(self._server, self._door, loop=asyncio.get_running_loop())

    @property
    def host(self) -> str:
        return str(self._addresses[0][0])

    @property
    def port(self) -> int:
        return int(self._addresses[0][1])

    @property
    def urls(self) -> tuple[str, ...]:
        """Where a program on this machine can call."""
        return tuple(_url(_ANY.get(host, host), port) for host, port in self._addresses)

    @property
    def connections(self) -> int:
        return self._door.connections

    def close(self) -> None:
        """Stop accepting; connections that exist stay."""
        for accepting in self._accepting:
            accepting.close()
        self._accepting.clear()
        if self._quiet is not None:
            self._quiet.remove()

    def dismiss(self) -> None:
        """Ask every connection to end: idle ones now, serving ones after the answer they are giving."""
        for connection in self._server.connections:
            if isinstance(connection, Connection):
                connection.leave()


async def listen(
    runner: web.AppRunner, settings: Live[Settings], *, entropy: Entropy = os.urandom, reuse_port: bool = False
) -> Listener:
    """Bind to `server.host` and `server.port` and accept.

    `runner` has been set up with `handler_cancellation=True` and gets no other listener. The limits are looked up for
    each connection, so they may change while running. `reuse_port` lets several processes share the port.

    Raises:
        ConfigError: the address cannot be listened on; the hint says what to do.
    """
    server = runner.server
    assert server is not None, "set the runner up first"
    where = settings.current.server
    sockets = await bind(await _resolve(where.host), where.port, reuse_port=reuse_port)
    door = Door(lambda: settings.current.server, new_request_id=lambda: request_id(entropy), room=connection_room())
    listener = Listener(server, door, sockets)
    await listener.accept()
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def bind(addresses: Sequence[Address], port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """One listening socket for each address, all on one port; either all of them or ConfigError."""
    sockets: list[socket.socket] = []
    for family, address in addresses:
        try:
            sockets.append(_bound(family, address, port, reuse_port=reuse_port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and sockets:
                continue  # the name has an address that this machine lacks, mostly ::1 without IPv6
            for sock in sockets:
                sock.close()
            raise await asyncio.to_thread(_explained, error, family, address, port) from error
        port = sockets[0].getsockname()[1]
    return sockets


async def _resolve(host: str) -> list[Address]:
    name = host.removeprefix("[").removesuffix("]") or None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f"The host {host!r} has no address.", hint="set server.host to 127.0.0.1", param="server.host"
        ) from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bound(family: socket.AddressFamily, address: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Windows reads SO_REUSEADDR as leave to take a port from the program that holds it.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)  # two sockets may be bound to one port until one of them listens
    except BaseException:
        sock.close()
        raise
    return sock


def _explained(error: OSError, family: socket.AddressFamily, address: str, port: int) -> ConfigError:
    match error.errno:
        case errno.EADDRINUSE:
            owner = port_owner(port)
            free = _next_free_port(family, address, port)
            return ConfigError(
                f"Port {port} is taken{f' by {owner}' if owner else ''}.",
                hint=f"try `iflow2api serve --port {free}`" if free else "set server.port to a free one",
                param="server.port",
            )
        case errno.EACCES:
            return ConfigError(
                f"This user may not listen on port {port}.", hint="choose one above 1023", param="server.port"
            )
        case errno.EADDRNOTAVAIL:
            return ConfigError(
                f"{address} is not an address of this machine.",
                hint="set server.host to 127.0.0.1, or to 0.0.0.0 for all",
                param="server.host",
            )
        case _:
            return ConfigError(
                f"Cannot listen on {address}, port {port}: {error.strerror}.",
                hint="set server.host and server.port",
                param="server.host",
            )


def _next_free_port(family: socket.AddressFamily, address: str, port: int) -> int | None:
    for candidate in range(port + 1, min(port + _PORTS_TRIED, _LAST_PORT) + 1):
        try:
            _bound(family, address, candidate).close()
        except OSError:
            continue
        return candidate
    return None
