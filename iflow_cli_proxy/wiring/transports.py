"""Connections, shared: equal options share one transport, across providers and across reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import Transport, TransportOptions


class Transports:
    """Belongs to one event loop; `aclose()` it there."""

    def __init__(self) -> None:
        self._open: dict[TransportOptions, Transport] = {}
        self._unused: list[Transport] = []
        self.are_used = asyncio.Lock()
        """Held by whoever uses them without being a request that a server counts."""

    def of(self, table: ProviderSettings) -> Transport:
        """The one for this table's options, opened when there is none yet."""
        options = TransportOptions(
            kind=table.transport,
            impersonate=table.impersonate,
            proxy=table.proxy,
            trust_env=table.trust_env,
            ca_file=table.ca_file,
            connect_timeout_s=table.connect_timeout_s,
        )
        if options not in self._open:
            self._open[options] = open_transport(options)
        return self._open[options]

    @property
    def unused(self) -> tuple[Transport, ...]:
        """Transports that nothing in force uses; requests that began earlier still may."""
        return tuple(self._unused)

    def set_aside_all_but(self, used: Iterable[Transport]) -> None:
        ids = {id(transport) for transport in used}
        for options, transport in tuple(self._open.items()):
            if id(transport) not in ids:
                self._unused.append(self._open.pop(options))

    async def close_unused(self, transports: Iterable[Transport]) -> None:
        """Close some of `unused`; the caller knows that no request uses them any more."""
        async with self.are_used:
            for transport in transports:
                if transport in self._unused:
                    await transport.aclose()
                    self._unused.remove(transport)

    async def aclose(self) -> None:
        for transport in (*self._open.values(), *self._unused):
            await transport.aclose()
        self._open.clear()
        self._unused.clear()
