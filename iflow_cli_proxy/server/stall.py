"""Clients that take nothing of what waits for them (RELIABILITY L7).

Knows one transport's unsent bytes and how long they may stay the same. Refuses to know what they are. One lazily armed
timer; connections whose clients read as fast as we write never meet it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_LOOKS: Final = 4
"""How often within the limit; a client is cut off at most a quarter of it late."""


class StallWatch:
    """Belongs to one connection. Any progress starts the clock again."""

    __slots__ = ("_limit_s", "_loop", "_since", "_timer", "_transport", "_unsent")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit_s: Callable[[], float]) -> None:
        self._loop = loop
        self._limit_s = limit_s
        self._transport: asyncio.WriteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._since = 0.0

    def begin(self, transport: asyncio.WriteTransport) -> None:
        """Bytes wait in `transport`: see to it that they are taken, or abort it. Ends by itself when they are gone."""
        if self._timer is None:
            self._transport = transport
            self._unsent, self._since = transport.get_write_buffer_size(), self._loop.time()
            self._arm()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._transport = None

    def _arm(self) -> None:
        self._timer = self._loop.call_later(self._limit_s() / _LOOKS, self._look)

    def _look(self) -> None:
        self._timer = None
        transport, now = self._transport, self._loop.time()
        assert transport is not None
        unsent = transport.get_write_buffer_size()
        if not unsent:
            self._transport = None
            return
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        elif now - self._since >= self._limit_s():
            transport.abort()
            return
        self._arm()
