"""The address to listen on: bound sockets, or why they cannot be had.

Knows addresses, ports, backlogs and how a port that is taken is explained; whoever only wants to know whether a gateway
could listen closes the sockets again. Refuses to know connections.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.wiring.port_owner import port_owner

Address: TypeAlias = tuple[socket.AddressFamily, str]

BACKLOG: Final = 4096
"""Connections the system may hold for us; Linux takes the smaller of this and net.core.somaxconn."""
_PORTS_TRIED: Final = 100
_LAST_PORT: Final = 65_535
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The address to call when all of a family are listened on."""


def url_of(host: str, port: int) -> str:
    """Where a program on this machine calls what listens there."""
    host = _ANY.get(host, host)
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


async def resolve(host: str) -> list[Address]:
    """Every address of `server.host`. Raises ConfigError when it has none."""
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
