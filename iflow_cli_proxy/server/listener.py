"""The listening sockets: where the gateway can be reached, and why not.

Knows how connections are accepted and for how long. Refuses to know requests: it hands every accepted socket to a
`Connection`; what is bound, and why not, is in `wiring/binding.py`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.ids import Entropy, request_id
from iflow_cli_proxy.server.connection import Connection, Door, guard
from iflow_cli_proxy.server.descriptors import QuietAccepts, connection_room
from iflow_cli_proxy.wiring.binding import BACKLOG, bind, resolve, url_of

_ACCEPTS_PER_TURN: Final = 64
"""asyncio accepts as many as its backlog in one turn of the loop; thousands at once would stall running streams."""


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
        return tuple(url_of(host, port) for host, port in self._addresses)

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
    sockets = await bind(await resolve(where.host), where.port, reuse_port=reuse_port)
    door = Door(lambda: settings.current.server, new_request_id=lambda: request_id(entropy), room=connection_room())
    listener = Listener(server, door, sockets)
    await listener.accept()
    return listener
