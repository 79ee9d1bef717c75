"""Rows of a ledger, files full of them, and files that refuse."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.state.ledger_file import Look, open_writer
from iflow_cli_proxy.state.ledger_row import Row

NOON: Final = 1_795_003_200.0
"""2026-11-18T12:00:00Z."""
PATIENCE_S: Final = 10.0


def row(number: int = 0, **fields: Any) -> Row:
    return Row(**{"request_id": f"req_{number}", "at": NOON + number, "status": 200, **fields})


def fill(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as a gateway that has ended did."""
    file = open_writer(path)
    file.write(list(enumerate(rows)))
    file.close()


def request_ids(path: Path) -> list[str]:
    """What is in a file, in the order it was written."""
    connection = sqlite3.connect(path)
    try:
        return [found for (found,) in connection.execute("SELECT request_id FROM exchanges ORDER BY id")]
    finally:
        connection.close()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    return error


class StubbornFile:
    """A ledger's file that refuses with `error` for as long as there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.entries: dict[int, Row] = {}
        self.flights: dict[int, bytes] = {}
        self.writes = 0
        self.opened = 0
        self.pruned: list[float] = []

    def open(self, path: Path, look: Look) -> StubbornFile:
        self.opened += 1
        return self

    def write(self, entries: list[tuple[int, Row]], flights: Mapping[int, bytes]) -> None:
        self.writes += 1
        if self.error is not None:
            raise self.error
        for number, one in entries:
            self.entries.setdefault(number, one)
        self.flights.update(flights)

    def prune(
        self, before: float, largest_bytes: int, most: int, *, spared_from: float, most_flight_bytes: int
    ) -> bool:
        self.pruned.append(before)
        return False

    def close(self) -> None:
        pass
