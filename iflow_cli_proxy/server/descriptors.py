"""File descriptors: how many sockets this process can hold, and one line instead of a flood when they run out (F58)."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, Final

_LOG: Final = logging.getLogger("iflow2api.listener")
_WANTED: Final = 65_536
_RESERVED: Final = 64
"""Kept for files, pipes, the ledger and connections that are being refused."""
_LEAST_ROOM: Final = 16
_COSTS: Final = 2
"""A connection being served holds its own descriptor and, mostly, one to the upstream."""
_QUIET_S: Final = 10.0
_ACCEPT_FAILED: Final = "socket.accept() out of system resource"
"""asyncio's words, in selector_events.py; it pauses accepting for a second by itself."""


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system lets us have without asking."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connection_room() -> int:
    """How many client connections can be held so that each still finds a descriptor for its upstream; 0: no limit."""
    if sys.platform == "win32":
        return 0
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else max(_LEAST_ROOM, (soft - _RESERVED) // _COSTS)


class QuietAccepts:
    """An exception handler for a loop: failing accepts are one warning every ten seconds, all else goes on as before.

    Python 3.11 reports each of up to a backlog of failed accepts, with traceback, every second.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._before = loop.get_exception_handler()
        self._silent_until = 0.0
        loop.set_exception_handler(self)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("message") == _ACCEPT_FAILED:
            if loop.time() >= self._silent_until:
                self._silent_until = loop.time() + _QUIET_S
                _LOG.warning("no file descriptors left: new connections wait (%s)", context.get("exception"))
        elif self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)

    def remove(self) -> None:
        if self._loop.get_exception_handler() is self:
            self._loop.set_exception_handler(self._before)
