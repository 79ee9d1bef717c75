"""The file of the ledger: its tables, how it is opened, what is wrong with it, and how a damaged one makes room.

Knows SQLite. Refuses to know threads, queues and when to try again (`ledger.py`), and questions (`ledger_queries.py`).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import chain
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state import flight_rows
from iflow_cli_proxy.state.atomic import make_private_folder, rename_private
from iflow_cli_proxy.state.ledger_row import COLUMNS, Row, values
from iflow_cli_proxy.state.lock import FileLock

_VERSION_1: Final = """
CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL UNIQUE,
    request_id TEXT NOT NULL,
    at REAL NOT NULL,
    client TEXT NOT NULL,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    model_asked TEXT NOT NULL,
    model_served TEXT NOT NULL,
    protocol TEXT NOT NULL,
    stream INTEGER NOT NULL,
    status INTEGER NOT NULL,
    error_kind TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    attempt_list TEXT NOT NULL,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    first_byte_s REAL,
    duration_s REAL NOT NULL,
    overhead_s REAL,
    cost REAL,
    currency TEXT NOT NULL
);
CREATE INDEX exchanges_at ON exchanges (at);
CREATE INDEX exchanges_request_id ON exchanges (request_id);
"""
_VERSION_2: Final = """
CREATE TABLE flights (
    id INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL UNIQUE REFERENCES exchanges (entry) ON DELETE CASCADE,
    at REAL NOT NULL,
    size INTEGER NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX flights_at ON flights (at, size);
"""
"""How exchanges went, as `flight_rows.py` packs it."""
STEPS: Final[tuple[str, ...]] = (_VERSION_1, _VERSION_2)
"""What leads from each version of the tables to the next one; the first makes them. Never changed, only added to."""

WRITER_PATIENCE_MS: Final = 1000
"""For a lock of another process; the writer comes back by itself, and a stop must not wait for longer."""
READER_PATIENCE_MS: Final = 5000
_LOCK_WAIT_S: Final = 5.0
_JOURNAL_BYTES: Final = 4 << 20
_OTHERS: Final = 0o077
_INSERT: Final = f"INSERT OR IGNORE INTO exchanges (entry, {', '.join(COLUMNS)}) VALUES "
_PLACES: Final = f"(?{', ?' * len(COLUMNS)})"
_ROWS_AT_ONCE: Final = 100
_DELETE: Final = "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE {} ORDER BY {} LIMIT ?)"
_MAY_GO: Final = "(at < ? OR client = '')"
"""No key's budget is counted from it."""
_DELETE_OLD: Final = _DELETE.format(f"at < ? AND {_MAY_GO}", "at")
_DELETE_FIRST: Final = _DELETE.format(_MAY_GO, "id")
_NONE: Final[Mapping[int, bytes]] = MappingProxyType({})
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WORDS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another process holds the file",
    sqlite3.SQLITE_LOCKED: "another process holds the file",
    sqlite3.SQLITE_READONLY: "the file cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "the file cannot be written",
    sqlite3.SQLITE_IOERR: "the disk does not do what it is told",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is no database",
}


class Look(Enum):
    """When to look through a whole file for damage while opening it; that takes a second for some 100 MB."""

    NEVER = auto()
    AFTER_UNCLEAN_END = auto()
    ALWAYS = auto()


class LedgerFile:
    """The one writing connection. Belongs to the thread that opened it.

    Every method raises sqlite3.Error when the database refuses; the file is then to be closed and opened anew.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._inode = _inode(path)

    def write(self, entries: Iterable[tuple[int, Row]], flights: Mapping[int, bytes] = _NONE) -> None:
        """All of them or none, `flights` by the numbers of entries. The number of an entry is its own for ever: one
        that is there already changes nothing.

        Request ids would not do for that, since clients may choose theirs and use one twice.

        Raises:
            StateError: the file was deleted or moved; what is written to it would be lost with this process.
        """
        found = _inode(self._path)
        if found is None or found != self._inode:
            raise StateError("The file was deleted or moved.", hint="another one begins")
        entries = [*entries]
        bound = [(number, *values(row)) for number, row in entries]
        flown = flight_rows.bound(entries, flights)
        with _transaction(self._connection):
            for at in range(0, len(bound), _ROWS_AT_ONCE):
                # Many rows in one statement: after each one the thread has to win the interpreter back from the event
                # loop, which takes milliseconds while that is busy.
                rows = bound[at : at + _ROWS_AT_ONCE]
                self._connection.execute(_INSERT + ", ".join([_PLACES] * len(rows)), list(chain.from_iterable(rows)))
            flight_rows.insert(self._connection, flown)

    def prune(
        self,
        before: float,
        largest_bytes: int,
        most: int,
        *,
        spared_from: float = inf,
        most_flight_bytes: int = 1 << 62,
    ) -> bool:
        """Delete rows that ended before that moment, and the oldest while the file is too large; `most` at one time.

        Those of client keys that ended at `spared_from` or later stay, but not their flights. Flights have a limit of
        their own and are no reason to delete a row. The answer is whether more is to be done.
        """
        with _transaction(self._connection):
            gone = self._connection.execute(_DELETE_OLD, (before, spared_from, most)).rowcount
            gone = max(gone, flight_rows.prune(self._connection, before, most_flight_bytes, most))
            if gone < most and self._used_bytes() - flight_rows.size_bytes(self._connection) > largest_bytes:
                gone += self._connection.execute(_DELETE_FIRST, (spared_from, most - gone)).rowcount
        # As a script, which is stepped to its end; `execute` would give back one page only.
        self._connection.executescript(f"PRAGMA incremental_vacuum({most})")
        return gone >= most

    def close(self) -> None:
        self._connection.close()

    def _used_bytes(self) -> int:
        count, free, size = (_pragma(self._connection, name) for name in ("page_count", "freelist_count", "page_size"))
        return (count - free) * size


def open_writer(path: Path, look: Look = Look.AFTER_UNCLEAN_END, *, steps: Sequence[str] = STEPS) -> LedgerFile:
    """The file, made when there is none, with the tables of today.

    Raises:
        sqlite3.Error: it cannot be used; `is_damaged` tells whether it ever will be again.
        StateError: it is unsafe to use, or of a newer program.
        OSError: it cannot be made.
    """
    was_cut_off = _is_longer_than_nothing(_beside(path, "-wal"))
    _make_private(path)
    connection = sqlite3.connect(path, timeout=WRITER_PATIENCE_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # obeyed by a new file only
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA foreign_keys = ON")  # a flight goes with its row
        # FULL, one flush for each batch and none in the way of a request: budgets of client keys are taken up from
        # here, and with NORMAL a power cut could take everything since the last checkpoint.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}").fetchall()
        if look is Look.ALWAYS or (was_cut_off and look is Look.AFTER_UNCLEAN_END):
            _look_through(connection)
        _bring_up_to_date(connection, steps)
    except BaseException:
        connection.close()
        raise
    return LedgerFile(connection, path)


def open_reader(path: Path, *, oldest: int = 1) -> sqlite3.Connection | None:
    """A connection that can only read, beside any writer; None when nothing was ever written, or only tables of a
    version before the `oldest` that will do.

    Raises:
        StateError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=READER_PATIENCE_MS / 1000, isolation_level=None
        )
        try:
            version = _pragma(connection, "user_version")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StateError(f"The ledger cannot be read: {words_for(error)}.", detail=str(path)) from error
    if oldest <= version <= len(STEPS):
        return connection
    connection.close()
    if version > len(STEPS):
        raise _too_new(path)
    return None  # made a moment ago, or of an older version that the next start of the gateway brings up to date


def is_damaged(error: Exception) -> bool:
    """Whether the file itself is broken, so that trying again is no use."""
    return isinstance(error, sqlite3.Error) and _primary(error) in _DAMAGE


def words_for(error: Exception) -> str:
    """What is wrong, for people; nothing of ours is in it, no path either."""
    if isinstance(error, sqlite3.Error):
        return _WORDS.get(_primary(error), f"the database says: {error}")
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error).rstrip(".")


def set_aside(path: Path, now: float) -> Path | None:
    """Give a damaged file another name, its journal with it, so that a new one can begin; the answer is where it is.

    None when it is whole after all: another process has done it before.

    Raises:
        StateError: it cannot be renamed.
        sqlite3.Error: it cannot even be told whether it is damaged.
    """
    with FileLock(path, wait_s=_LOCK_WAIT_S):
        try:
            open_writer(path, Look.ALWAYS).close()
        except sqlite3.Error as error:
            if not is_damaged(error):
                raise
        else:
            return None
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        moved = rename_private(path, f"{path.name}.damaged-{moment}")
        for ending in ("-wal", "-shm"):
            if _beside(path, ending).exists():
                rename_private(_beside(path, ending), f"{moved.name}{ending}")
        return moved


def _make_private(path: Path) -> None:
    """SQLite gives the files beside it the same mode. A file that is there is not opened, which would end its locks."""
    make_private_folder(path.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, flags, 0o600))
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StateError("The ledger is no ordinary file.", detail=str(path), hint="look at it, then move it away")
    if os.name == "posix" and found.st_mode & _OTHERS:
        path.chmod(0o600)


def _look_through(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        error = sqlite3.DatabaseError("the integrity check failed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _bring_up_to_date(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    if _pragma(connection, "user_version") == len(steps):
        return
    with _transaction(connection):
        version = _pragma(connection, "user_version")  # again, now that no other process can change it
        if version > len(steps):
            raise _too_new(None)
        for step in steps[version:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _primary(error: sqlite3.Error) -> int:
    """The error without the details in its higher bytes."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _inode(path: Path) -> tuple[int, int] | None:
    """Which file is there, whatever its name."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _is_longer_than_nothing(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _too_new(path: Path | None) -> StateError:
    detail = str(path) if path else ""
    return StateError("The ledger was written by a newer iflow2api.", detail=detail, hint="use that version")
