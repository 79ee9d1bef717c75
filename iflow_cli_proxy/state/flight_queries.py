"""What the ledger is asked about single exchanges and how they went: by request id, by what it begins with, the last.

Every function takes a connection of `open_reader`. Raises StateError when the file cannot be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.state.flight_rows import unpacked
from iflow_cli_proxy.state.ledger_queries import FAILED, ask
from iflow_cli_proxy.state.ledger_row import COLUMNS, Row, as_json, row_from

TABLES: Final = 2
"""The version of the tables that is needed here, for `open_reader`."""
FORMAT: Final = "iflow2api-flight"
VERSION: Final = 1
"""Of files that hold one exchange."""
_FOUND: Final = (
    f"SELECT exchanges.id, document, {', '.join(f'exchanges.{name}' for name in COLUMNS)} "
    "FROM exchanges LEFT JOIN flights ON flights.entry = exchanges.entry "
)
_AFTER_ALL: Final = "\U0010ffff"
_MOST_NAMED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Found:
    """One exchange."""

    cursor: int
    """Grows with every row that is written."""
    row: Row
    flight: dict[str, Json] | None
    """None where nothing was recorded, or not for as long."""

    def as_json(self) -> dict[str, Json]:
        """The shape of `explain --json`."""
        return {"row": {**as_json(self.row), "cursor": self.cursor}, "flight": self.flight}


def golden(document: dict[str, Json]) -> dict[str, Json]:
    """A `Found.as_json()` as a file of its own."""
    return {"format": FORMAT, "version": VERSION, **document}


def find(connection: sqlite3.Connection, request_id: str) -> Found | None:
    """By its whole id; clients may use one twice, and then it is the last one."""
    return _one(connection, "WHERE request_id = ? ORDER BY exchanges.id DESC LIMIT 1", (request_id,))


def last(connection: sqlite3.Connection, *, only_failed: bool = False) -> Found | None:
    """The one that was written last."""
    which = f"WHERE {FAILED}" if only_failed else ""
    return _one(connection, f"{which} ORDER BY exchanges.id DESC LIMIT 1", ())


def ids_from(connection: sqlite3.Connection, start: str) -> list[str]:
    """Some request ids that begin so, the newest first."""
    sql = (
        "SELECT request_id FROM exchanges WHERE request_id >= ? AND request_id < ? "
        "GROUP BY request_id ORDER BY max(id) DESC LIMIT ?"
    )
    return [found for (found,) in ask(connection, sql, (start, start + _AFTER_ALL, _MOST_NAMED))]


def _one(connection: sqlite3.Connection, which: str, parameters: Sequence[Any]) -> Found | None:
    for cursor, stored, *columns in ask(connection, _FOUND + which, parameters):
        return Found(cursor=cursor, row=row_from(columns), flight=_flight(stored))
    return None


def _flight(stored: bytes | None) -> dict[str, Json] | None:
    if stored is None:
        return None
    try:
        flight = jsonx.decode(unpacked(stored))
    except JsonError as error:
        raise StateError("A record of the ledger is damaged.") from error
    return flight if isinstance(flight, dict) else None
