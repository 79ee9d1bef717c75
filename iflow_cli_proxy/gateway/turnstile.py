"""Waiting for room: first come, first served, for a bounded time in a bounded queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from iflow_cli_proxy.core.errors import Busy, NoAccountAvailable
from iflow_cli_proxy.pool.pool import AccountPool, Lease


@dataclass(slots=True, eq=False)
class _Waiter:
    provider: str
    tried: Collection[str]
    future: asyncio.Future[Lease]


class Turnstile:
    """The one door to the pool for callers that can wait."""

    def __init__(self, pool: AccountPool, *, places: int = 100, timeout_s: float = 30.0) -> None:
        self.pool = pool
        self.places = places
        self.timeout_s = timeout_s
        self._waiting: deque[_Waiter] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self, provider: str, tried: Collection[str] = ()) -> Lease:
        """A lease, at once or when one is given back.

        Raises:
            NoAccountAvailable: the provider has no account.
            Busy: the queue is full or waiting took too long.
        """
        is_first = not any(waiter.provider == provider for waiter in self._waiting)
        lease = self.pool.take(provider, tried) if is_first else None
        if lease is not None:
            return lease
        if not self.pool.standings(provider):
            raise NoAccountAvailable(
                f"No account is signed in for `{provider}`.", hint=f"run `iflow2api login {provider}`"
            )
        if len(self._waiting) >= self.places:
            raise Busy("Too many requests are waiting for an account.", retry_after_s=self.timeout_s)
        return await self._wait(_Waiter(provider, tried, asyncio.get_running_loop().create_future()))

    def leave(self, lease: Lease, error_kind: str = "") -> None:
        """Give a lease back and let the next one in."""
        self.pool.give_back(lease, error_kind)
        for waiter in tuple(self._waiting):
            if waiter.future.done():
                continue
            following = self.pool.take(waiter.provider, waiter.tried)
            if following is not None:
                waiter.future.set_result(following)
                return

    async def _wait(self, waiter: _Waiter) -> Lease:
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await waiter.future
        except (TimeoutError, asyncio.CancelledError) as ending:
            # A lease may have arrived in the very tick the caller gave up.
            if waiter.future.done() and not waiter.future.cancelled():
                self.leave(waiter.future.result())
            if isinstance(ending, asyncio.CancelledError):
                raise
            raise Busy(
                f"Every account of `{waiter.provider}` stayed busy for {self.timeout_s:g} s.", retry_after_s=1.0
            ) from None
        finally:
            self._waiting.remove(waiter)
