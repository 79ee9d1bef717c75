"""The ledger of a running server: opened with it, fed by every exchange that ends, closed after the last one.

Also what it remembers of the keys: a budget of the day or the month outlives the process that counted it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.allowance import Spent
from iflow_cli_proxy.server.bookkeeping import dollars, row_of
from iflow_cli_proxy.server.flights import Untold
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.server.ration import Ration
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import spent_by_key
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.state.retention import day_of, month_of
from iflow_cli_proxy.wiring.services import Services

_LOG: Final = logging.getLogger("iflow2api.ledger")
_NOTHING: Final = Spent()


class Books:
    """One for each server. Writes nothing where the ledger is switched off."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._is_open = False
        self._ration = Ration()
        self.readers: list[Callable[[Row], None]] = []
        """Told of every row, also where the ledger is switched off."""

    @property
    def is_refusing(self) -> bool:
        """Nobody could record another request, and the settings want that it is refused then."""
        return self._is_open and self._services.ledger.is_refusing

    def cost_of(self, exchange: Exchange) -> float:
        """In US dollars, with what was asked for its sake; 0 where no price is known."""
        prices = self._services.prices.current
        return sum(dollars(one, prices) for one in (exchange, *exchange.beside))

    def row_of(self, exchange: Exchange) -> Row:
        """What is kept of an exchange that ends now."""
        clock = self._services.clock
        return row_of(exchange, self._services.prices.current, clock.now(), clock.monotonic())

    def note(self, exchange: Exchange) -> None:
        """An exchange has ended."""
        if not (self._is_open or self.readers):
            return
        row = self.row_of(exchange)
        if self._is_open:
            self._services.ledger.put(row, self._untold(exchange, row))
        for read in self.readers:
            read(row)

    def _untold(self, exchange: Exchange, row: Row) -> Untold | None:
        """How it went, if that is to be written down too."""
        flight, most = exchange.flight, self._services.settings.current.recorder.good_per_s
        if flight is None or not flight.is_for_ledger:
            return None
        if not self._ration.allows(row, most, self._services.clock.monotonic()):
            return None
        return Untold(exchange, flight, has_bodies=flight.has_bodies)

    async def open(self, keys: KeyBook) -> None:
        """Begin to write, and tell `keys` what they have spent already."""
        if not self._services.settings.current.ledger.enabled:
            return
        self._is_open = True
        try:
            spent = await asyncio.to_thread(self._spent, {key.name: key.created_at for key in keys.keys})
        except StateError as error:
            _LOG.warning("budgets of keys begin with nothing spent: %s", error.message)
        else:
            for name, (day, month) in spent.items():
                keys.allowances.recall(name, self._services.clock.now(), day=day, month=month)
        self._services.ledger.start()

    async def aclose(self) -> None:
        """Write what waits; waits for a disk that hangs two seconds at most."""
        if self._is_open:
            self._is_open = False
            await asyncio.to_thread(self._services.ledger.close)

    def _spent(self, born: Mapping[str, float]) -> dict[str, tuple[Spent, Spent]]:
        """By name of the key: today and this month, in UTC as budgets are. A key that was `born` meanwhile has used
        nothing of what another one of its name did."""
        connection = open_reader(self._services.ledger_file)
        if connection is None:
            return {}
        now = self._services.clock.now()
        try:
            by_day = spent_by_key(connection, day_of(now), born=born)
            by_month = spent_by_key(connection, month_of(now), born=born)
        finally:
            connection.close()
        return {name: (by_day.get(name, _NOTHING), spent) for name, spent in by_month.items()}
