"""Flights in the ledger's file: how one is packed, written, found again and pruned.

A flight is a JSON document about one exchange, made elsewhere; this module refuses to know what is in it. Functions
raise what SQLite raises, those that ask raise StateError.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, TypeAlias

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.ledger_row import Row

Bound: TypeAlias = tuple[int, float, int, bytes]

_SMALL_BYTES: Final = 16_384
"""Compressing less saves little, and gives the interpreter away for each one."""
_FASTEST: Final = 1
_LARGEST_BYTES: Final = 1 << 30
_PACKED: Final = b"\x78"
"""What zlib begins with (RFC 1950); a document begins with a brace."""
_ROWS_AT_ONCE: Final = 100
_INSERT: Final = "INSERT OR IGNORE INTO flights (entry, at, size, document) VALUES "
_PLACES: Final = "(?, ?, ?, ?)"
_DELETE_OLD: Final = "DELETE FROM flights WHERE id IN (SELECT id FROM flights WHERE at < ? ORDER BY at LIMIT ?)"
_DELETE_FIRST: Final = """
DELETE FROM flights WHERE id IN (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id DESC) AS younger FROM flights)
    WHERE younger > ? ORDER BY id LIMIT ?
)
"""


def packed(document: bytes) -> bytes:
    return document if len(document) <= _SMALL_BYTES else zlib.compress(document, _FASTEST)


def unpacked(stored: bytes) -> bytes:
    """Raises StateError when it is not what was stored."""
    if not stored.startswith(_PACKED):
        return stored
    opened = zlib.decompressobj()
    try:
        document = opened.decompress(stored, _LARGEST_BYTES)
    except zlib.error as error:
        raise StateError("A record of the ledger is damaged.") from error
    if not opened.eof:
        raise StateError("A record of the ledger is damaged.")
    return document


def bound(entries: Iterable[tuple[int, Row]], flights: Mapping[int, bytes]) -> list[Bound]:
    """What is bound to the columns, for those entries that have a flight."""
    found = []
    for number, row in entries:
        if (document := flights.get(number)) is not None:
            stored = packed(document)
            found.append((number, row.at, len(stored), stored))
    return found


def insert(connection: sqlite3.Connection, rows: Sequence[Bound]) -> None:
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[at : at + _ROWS_AT_ONCE]
        connection.execute(_INSERT + ", ".join([_PLACES] * len(some)), list(chain.from_iterable(some)))


def size_bytes(connection: sqlite3.Connection) -> int:
    """Of all flights together."""
    (size,) = connection.execute("SELECT sum(size) FROM flights").fetchone()
    return size or 0


def prune(connection: sqlite3.Connection, before: float, largest_bytes: int, most: int) -> int:
    """Delete those of exchanges that ended before that moment, and the oldest while all are too large; how many."""
    gone = connection.execute(_DELETE_OLD, (before, most)).rowcount
    if gone < most and size_bytes(connection) > largest_bytes:
        gone += connection.execute(_DELETE_FIRST, (largest_bytes, most - gone)).rowcount
    return gone
