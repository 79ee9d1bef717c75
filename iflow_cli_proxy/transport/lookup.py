"""Names to addresses, on threads that nobody waits for.

A resolver may keep a lookup for minutes. On the event loop's own threads, of which a small machine has six, a few such
lookups would hold up every file that is read or written there, and then the end of the process: Python joins those
threads. The threads here are daemons. Refuses to know how long a caller is willing to wait.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from aiohttp.resolver import ThreadedResolver


class Lookups(ThreadedResolver):
    """aiohttp's reading of what the system says, with threads of our own below it."""

    def __init__(self) -> None:
        # 2026-11: a resolver asks its loop for getaddrinfo and getnameinfo, and for nothing else.
        super().__init__(cast("asyncio.AbstractEventLoop", _OwnThreads()))


class _OwnThreads:
    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        return await _on_a_thread(lambda: socket.getaddrinfo(*args, **kwargs))

    async def getnameinfo(self, address: Any, flags: int = 0) -> Any:
        return await _on_a_thread(lambda: socket.getnameinfo(address, flags))


async def _on_a_thread(work: Callable[[], Any]) -> Any:
    """What `work` answers or raises, however long that takes; when the caller gives up nobody hears of it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def run() -> None:
        try:
            tell, told = future.set_result, work()
        except (OSError, UnicodeError) as error:
            tell, told = future.set_exception, error
        with suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(lambda: None if future.done() else tell(told))

    threading.Thread(target=run, name="lookup", daemon=True).start()
    return await future
