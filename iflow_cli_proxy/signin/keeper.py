"""Keeps sign-ins alive in the background: looks every minute which are due, and spreads them.

The policies decide when that is (`signin/timing.py`), so looking often asks nobody. The time of day is read anew at
each look, so a machine that slept or a clock that was set is noticed within a minute and nothing drifts; what is due
then is spread over a minute, never asked for all at once (F57). Refuses to know how a refresh is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin.timing import due

__all__ = ["Keeper", "Refreshes", "due"]

_LOOK_EVERY_S: Final = 60.0
_SHORTEST_WAIT_S: Final = 5.0
_SPREAD_S: Final = 60.0
_AT_ONCE: Final = 4


class Refreshes(Protocol):
    """The part of a Refresher that is needed here."""

    async def refresh(self, account_id: str) -> SavedAccount: ...

    async def save_unsaved(self) -> None: ...


@dataclass(frozen=True)
class _Draw:
    """An account's own chance, drawn anew after each refresh."""

    refreshed_at: float | None
    chance: float


class Keeper:
    def __init__(
        self,
        accounts: Callable[[], Iterable[tuple[SavedAccount, RefreshPolicy]]],
        refresher: Refreshes,
        *,
        clock: Clock,
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._refresher = refresher
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._draws: dict[str, _Draw] = {}

    async def run(self) -> None:
        """For ever; never raises for what an upstream or a disk did."""
        while True:
            await self.look()
            await self._sleep(self._wait_s())

    async def look(self) -> None:
        """Refresh what is due now, and write what could not be written before; return when that is done."""
        at_once = asyncio.Semaphore(_AT_ONCE)
        due_now = [account_id for account_id, wait_s in self._waits() if wait_s <= 0]
        ends = await asyncio.gather(*(self._keep(each, at_once) for each in due_now), return_exceptions=True)
        await self._refresher.save_unsaved()
        for end in ends:  # one account's bug must not end the others' turn, and must not be hidden either
            if isinstance(end, BaseException) and not isinstance(end, GatewayError):
                raise end

    async def _keep(self, account_id: str, at_once: asyncio.Semaphore) -> None:
        await self._sleep(self._chance() * _SPREAD_S)
        async with at_once:
            await self._refresher.refresh(account_id)

    def _wait_s(self) -> float:
        soonest_s = min((wait_s for _, wait_s in self._waits()), default=_LOOK_EVERY_S)
        return min(_LOOK_EVERY_S, max(_SHORTEST_WAIT_S, soonest_s))

    def _waits(self) -> list[tuple[str, float]]:
        """Every account that will ever be due, with the seconds until then."""
        now = self._clock.now()
        accounts = list(self._accounts())
        self._draws = {account.id: self._draw(account) for account, _ in accounts}
        waits = ((each.id, due(each, policy, now=now, chance=self._draws[each.id].chance)) for each, policy in accounts)
        return [(account_id, wait_s) for account_id, wait_s in waits if wait_s is not None]

    def _draw(self, account: SavedAccount) -> _Draw:
        before = self._draws.get(account.id)
        if before is not None and before.refreshed_at == account.refreshed_at:
            return before
        return _Draw(account.refreshed_at, self._chance())
