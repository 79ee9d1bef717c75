"""The debug log's bodies: a file for each exchange, for whoever looks for a fault in a conversation.

Written while `logging.level` is debug and `logging.bodies` names a folder: the flight recorder's document with all
bodies in it, secrets masked, in the form that `iflow2api align` reads. One thread writes; there is a limit to how many
exchanges wait for it, and to how many files stay. Refuses to raise: a full disk costs these files alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.gateway.flight import Flight
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.flights import Untold
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.flight_queries import golden
from iflow_cli_proxy.state.ledger_row import Row, as_json

_LOG: Final = logging.getLogger("iflow2api.bodies")
_MOST_WAITING: Final = 64
MOST_FILES: Final = 200
MOST_BYTES: Final = 64 << 20
"""Of all files together; the oldest go first."""
_ENDING: Final = ".flight.json"
"""Nobody else's files end so, whatever folder a person names."""


class BodyLog:
    """One for each server."""

    def __init__(self, folder: Callable[[], str], row_of: Callable[[Exchange], Row]) -> None:
        """`folder` is where files go at this moment."""
        self._folder = folder
        self._row_of = row_of
        self._writer: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._passed_over = 0
        """Since the last line that told of it: too many waited already."""
        self._problem = ""

    def note(self, exchange: Exchange) -> None:
        """An exchange has ended."""
        flight, folder = exchange.flight, self._folder()
        if flight is None or not flight.is_for_log or not folder:
            return
        if self._waiting >= _MOST_WAITING:
            self._passed_over += 1
            return
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, "bodies")
        self._waiting += 1
        row = self._row_of(exchange)
        self._writer.submit(self._write, Path(folder).expanduser(), row, exchange, flight)

    async def aclose(self) -> None:
        """Write what waits."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(writer.shutdown)

    def _write(self, folder: Path, row: Row, exchange: Exchange, flight: Flight) -> None:
        try:
            told = jsonx.decode(Untold(exchange, flight, has_bodies=True)())
            data = jsonx.indented(golden({"row": as_json(row), "flight": told}))
            write_private(_free(folder, row.request_id), data)
            tidy(folder)
        except (StateError, OSError) as error:
            self._complain(getattr(error, "message", "") or str(error))
        else:
            self._problem = ""
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._tell_of_those_passed_over()

    def _tell_of_those_passed_over(self) -> None:
        passed_over, self._passed_over = self._passed_over, 0
        if passed_over:
            _LOG.warning("exchanges that came too fast to be written to logging.bodies: %d", passed_over)

    def _complain(self, problem: str) -> None:
        """Once for each problem."""
        if problem != self._problem:
            self._problem = problem
            _LOG.warning("bodies cannot be written to logging.bodies: %s", problem)


def tidy(folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
    """Delete the oldest files of ours until there are few enough."""
    found = [(each.stat(), each) for each in folder.glob(f"*{_ENDING}") if each.is_file()]
    found.sort(key=lambda one: one[0].st_mtime_ns, reverse=True)
    left = most_bytes
    for number, (told, path) in enumerate(found):
        left -= told.st_size
        if number and (number >= most_files or left < 0):
            path.unlink(missing_ok=True)


def _free(folder: Path, request_id: str) -> Path:
    """A name nobody has: clients may use an id twice."""
    path = folder / f"{request_id}{_ENDING}"
    number = 2
    while path.exists():
        path, number = folder / f"{request_id}-{number}{_ENDING}", number + 1
    return path
