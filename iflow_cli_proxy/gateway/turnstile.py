"""Waiting for room: first come, first served, for a bounded time in a bounded queue.

Knows the pool and who waits for it. Refuses to know what a lease is used for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from math import inf

from iflow_cli_proxy.core.errors import Busy, NoAccountAvailable
from iflow_cli_proxy.pool.pool import AccountPool, Lease


@dataclass(slots=True, eq=False)
class _Waiter:
    provider: str
    tried: Collection[str]
    wanted: str
    future: asyncio.Future[Lease]


class Turnstile:
    """The one door to the pool for callers that can wait."""

    def __init__(self, pool: AccountPool, *, places: int = 100, timeout_s: float = 30.0) -> None:
        self.pool = pool
        self.places = places
        self.timeout_s = timeout_s
        self._queue: deque[_Waiter] = deque()
        """Who has no lease yet. One that gave up may stand here until its task runs again; its future is done."""

    @property
    def waiting(self) -> int:
        return sum(1 for waiter in self._queue if not waiter.future.done())

    async def enter(
        self, provider: str, tried: Collection[str] = (), *, wanted: str = "", patience_s: float = inf
    ) -> Lease:
        """A lease, at once or when one is given back, within `patience_s` or the turnstile's own limit.

        `tried` and `wanted` are ids of accounts, the latter the first choice.

        Raises:
            NoAccountAvailable: the provider has no account.
            Busy: the queue is full or waiting took too long.
        """
        is_first = not any(waiter.provider == provider and not waiter.future.done() for waiter in self._queue)
        lease = self.pool.take(provider, tried, wanted) if is_first else None
        if lease is not None:
            return lease
        if not self.pool.standings(provider):
            raise NoAccountAvailable(
                f"There is no account for `{provider}`.",
                hint=f"`iflow2api login {provider}` adds one, `iflow2api token list` shows those that are left out",
            )
        if self.waiting >= self.places:
            raise Busy("Too many requests are waiting for an account.", retry_after_s=self.timeout_s)
        waiter = _Waiter(provider, tried, wanted, asyncio.get_running_loop().create_future())
        return await self._wait(waiter, min(self.timeout_s, patience_s))

    def leave(self, lease: Lease, error_kind: str = "") -> None:
        """Give a lease back and let the next one in."""
        self.pool.give_back(lease, error_kind)
        self.let_in()

    def let_in(self) -> None:
        """Hand what is free to those who wait for it, in their order; to be called whenever the pool has more room."""
        full: set[str] = set()
        for waiter in tuple(self._queue):
            if waiter.future.done() or waiter.provider in full:
                continue
            lease = self.pool.take(waiter.provider, waiter.tried, waiter.wanted)
            if lease is None:
                full.add(waiter.provider)
            else:
                self._queue.remove(waiter)
                waiter.future.set_result(lease)

    async def _wait(self, waiter: _Waiter, limit_s: float) -> Lease:
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(limit_s):
                return await waiter.future
        except (TimeoutError, asyncio.CancelledError) as ending:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif not waiter.future.cancelled():
                # The lease arrived in the very tick the caller gave up.
                self.leave(waiter.future.result())
            if isinstance(ending, asyncio.CancelledError):
                raise
            raise Busy(
                f"Every account of `{waiter.provider}` stayed busy for {limit_s:g} s.", retry_after_s=1.0
            ) from None
