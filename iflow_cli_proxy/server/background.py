"""The one owner of long-running tasks: named, logged, restarted with backoff, cancelled and awaited at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

_LOG: Final = logging.getLogger("iflow2api.background")
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0


class Supervisor:
    """Tasks live until they end by themselves or the supervisor closes."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def keep_running(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` now, and again after a growing pause whenever it fails."""
        if not self._is_closing:
            self._start(name, self._kept(name, work))

    def run_once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside everything else; a failure is logged."""
        if self._is_closing:
            work.close()
            return
        self._start(name, self._once(name, work))

    async def aclose(self) -> None:
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _once(name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionError:
            _LOG.debug("%s: the other side is gone", name)
        except Exception:
            _LOG.exception("%s failed", name)

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        pause_s = _FIRST_PAUSE_S
        while True:
            started_at = loop.time()
            try:
                await work()
            except Exception:
                if loop.time() - started_at > _LONGEST_PAUSE_S:
                    pause_s = _FIRST_PAUSE_S  # it had recovered
                _LOG.exception("%s failed; it starts again in %g s", name, pause_s)
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
