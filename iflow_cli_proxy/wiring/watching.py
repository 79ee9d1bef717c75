"""The accounts between this process and the others: what they change is taken up, what was done here is noted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.wiring.services import Services

_LOG: Final = logging.getLogger("iflow2api.accounts")
LOOK_EVERY_S: Final = 2.0
SAVE_EVERY_S: Final = 30.0
"""How old the counts in the files may be while the gateway runs."""


class AccountWatch:
    """Looks every two seconds; `save` once more at the end, so that a clean stop loses no count."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seen = services.accounts.store.stamps()
        self._counted: dict[str, int] = {}
        """Requests of each account that are in its file already."""
        self._saved_at = services.clock.monotonic()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Take up what changed on disk, and write down what is due."""
        stamps = await asyncio.to_thread(self._services.accounts.store.stamps)
        if stamps != self._seen:
            self._seen = stamps
            self._services.wire_again()
        if self._services.renewal.has_refusals.is_set():
            await asyncio.to_thread(self._services.renewal.save_refusals)
        if self._services.clock.monotonic() - self._saved_at >= SAVE_EVERY_S:
            await self.save()

    async def save(self) -> None:
        """Add the requests since the last time to each account's file."""
        self._saved_at = self._services.clock.monotonic()
        due = {account_id: count for account_id, count in self._uncounted().items() if count > 0}
        if due:
            await asyncio.to_thread(self._add, due)
            self._seen = await asyncio.to_thread(self._services.accounts.store.stamps)

    def _uncounted(self) -> dict[str, int]:
        """Requests by account since the last save. One that left the pool and came back counts from nothing."""
        new: dict[str, int] = {}
        for standing in self._services.pool.standings():
            account_id = standing.account.id
            known = self._services.accounts.find(account_id)
            before = self._counted.get(account_id, 0)
            if known is not None and known.is_ours:
                new[account_id] = standing.requests - (before if before <= standing.requests else 0)
                self._counted[account_id] = standing.requests
        return new

    def _add(self, counts: dict[str, int]) -> None:
        now = self._services.clock.now()
        for account_id, count in counts.items():

            def used(saved: SavedAccount, count: int = count) -> SavedAccount:
                return replace(saved, request_count=saved.request_count + count, last_used_at=now)

            try:
                self._services.accounts.store.change(account_id, used)
            except GatewayError as error:
                _LOG.warning("the use of an account was not written down: %s", error.message)
