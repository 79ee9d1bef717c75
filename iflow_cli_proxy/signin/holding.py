"""A place, held from a coroutine: the lock is taken, used and given back on one thread of its own.

Knows how to keep blocking locks and disks away from the event loop, and that a caller may be cancelled at any await.
Refuses to know what is decided while the lock is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.place import Place

T = TypeVar("T")


class Held:
    """A place whose lock is ours. A call that is cancelled while it runs is carried out all the same."""

    def __init__(self, place: Place, thread: Executor) -> None:
        self._place = place
        self._thread = thread

    async def read(self) -> SavedAccount | None:
        """Raises StateError."""
        return await self._on_thread(self._place.read)

    async def write(self, account: SavedAccount) -> None:
        """Raises StateError when nothing has changed. The work is handed over before the first await."""
        await self._on_thread(lambda: self._place.write(account))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))


@asynccontextmanager
async def held(place: Place) -> AsyncIterator[Held]:
    """Alone in a read-decide-write. Raises StateError when the lock cannot be had within its own limit.

    The thread is not one of the loop's pool: waits for a lock that somebody else keeps must not use that up.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="place")
    lock = _Lock(place)
    try:
        await asyncio.get_running_loop().run_in_executor(thread, lock.take)
        yield Held(place, thread)
    finally:
        # Queued behind whatever still runs there, so that a caller who was cancelled leaves no lock behind.
        freed = thread.submit(lock.free)
        thread.shutdown(wait=False)
        if lock.is_taken:
            await asyncio.shield(asyncio.wrap_future(freed))


class _Lock:
    """Remembers whether it was taken. Used on one thread, but for `is_taken`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock: AbstractContextManager[None] | None = None

    @property
    def is_taken(self) -> bool:
        return self._lock is not None

    def take(self) -> None:
        lock = self._place.lock()
        lock.__enter__()
        self._lock = lock

    def free(self) -> None:
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None
