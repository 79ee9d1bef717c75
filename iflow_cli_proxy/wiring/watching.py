"""The accounts between this process and the others: what they change is taken up, what was done here is noted."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.pool.standing import Standing
from iflow_cli_proxy.wiring.services import Services

_LOG: Final = logging.getLogger("iflow2api.accounts")
LOOK_EVERY_S: Final = 2.0
SAVE_EVERY_S: Final = 30.0
"""How old the counts in the files may be while the gateway runs."""


@dataclass(eq=False, slots=True)
class _Count:
    """How many requests of one stay in the pool are in the account's file. An account that comes back has another."""

    standing: Standing
    written: int = 0

    @property
    def is_due(self) -> bool:
        return self.standing.requests > self.written


class AccountWatch:
    """Looks every two seconds; `save` once more at the end, so that a clean stop loses no count."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seen: Mapping[str, tuple[int, int, int]] | None = None
        """None at first: what changed since the services were wired is taken up by the first look."""
        self._counts: dict[int, _Count] = {}
        """By the identity of a standing, which is kept alive by its count."""
        self._writing = threading.Lock()
        self._saved_at = services.clock.monotonic()
        self._complaint = ""

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Take up what changed on disk, and write down what is due. What is known goes on while that is impossible."""
        self._count()
        if self._services.renewal.take_back():
            self._services.wire_again()
        try:
            await self._take_up_changes()
        except GatewayError as error:
            self._complain(f"the accounts cannot be read again: {error.message}")
        else:
            self._complaint = ""
        self._services.rests.take_up()
        await self._services.renewal.save_refusals()
        await self._services.rests.save()
        if self._services.clock.monotonic() - self._saved_at >= SAVE_EVERY_S:
            await self.save()

    async def save(self) -> None:
        """Add the requests since then to each account's file, and note who is refused or rests; never raises."""
        self._saved_at = self._services.clock.monotonic()
        self._count()
        await self._services.renewal.save_refusals()
        await self._services.rests.save()
        counts = [count for count in self._counts.values() if count.is_due and self._is_ours(count)]
        if counts:
            await asyncio.to_thread(self._write, counts)
        self._forget_those_who_left()

    async def _take_up_changes(self) -> None:
        stamps = await asyncio.to_thread(self._services.accounts.store.stamps)
        if stamps != self._seen:
            await self._services.look_again()
            self._seen = stamps

    def _count(self) -> None:
        for standing in self._services.pool.standings():
            self._counts.setdefault(id(standing), _Count(standing))

    def _is_ours(self, count: _Count) -> bool:
        known = self._services.accounts.last(count.standing.account.id)
        return known is not None and known.is_ours

    def _forget_those_who_left(self) -> None:
        here = {id(standing) for standing in self._services.pool.standings()}
        self._counts = {
            key: count for key, count in self._counts.items() if key in here or (count.is_due and self._is_ours(count))
        }

    def _write(self, counts: list[_Count]) -> None:
        """On a thread that goes on when its caller is cancelled: what it does and what it notes must not come apart."""
        with self._writing:
            now = self._services.clock.now()
            for count in counts:
                requests = count.standing.requests
                new = requests - count.written
                if not new:
                    continue

                def used(saved: SavedAccount, new: int = new) -> SavedAccount:
                    return replace(saved, request_count=saved.request_count + new, last_used_at=now)

                try:
                    self._services.accounts.store.change(count.standing.account.id, used)
                except GatewayError as error:
                    _LOG.debug("the use of an account was not written down yet: %s", error.message)
                else:
                    count.written = requests

    def _complain(self, text: str) -> None:
        """Once for each reason in a row."""
        if text != self._complaint:
            self._complaint = text
            _LOG.warning("%s", text)
