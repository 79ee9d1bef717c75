"""The ledger: every exchange is a row, written in batches by one thread that no request waits for (RELIABILITY F54).

Knows the queue, the thread, and what happens while the file cannot be written: rows wait, up to a limit, and are
written once when it can be again. Refuses to know SQL (`ledger_file.py`) and what an exchange is.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.ledger_file import Look, is_damaged, open_writer, set_aside, words_for
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.state.retention import CautiousDate, Retention, month_of

_LOG: Final = logging.getLogger("iflow2api.ledger")

_GATHER_S: Final = 0.1
"""From the first row of a batch to its commit, so that with the commit itself a row is safe within 200 ms."""
_MOST_AT_ONCE: Final = 500
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_PRUNE_EVERY_S: Final = 600.0
_PRUNE_EVERY_ROWS: Final = 5000
_PRUNE_EVERY_BYTES: Final = 8 << 20
"""Of flights."""
_MOST_HELD_BYTES: Final = 64 << 20
"""What waiting flights may take up while the file cannot be written."""
_MUCH_TO_WORD_BYTES: Final = 1 << 20
"""Of flights that wait, some 0.1 s of work; rows are safe before that is done."""
_PRUNE_ROWS: Final = 1000
"""Deleted in one transaction, so that new rows are not kept waiting."""


@dataclass(frozen=True, kw_only=True)
class LedgerRules:
    """May be replaced at any time."""

    retention: Retention = field(default_factory=Retention)
    most_waiting: int = 10_000
    fails_closed: bool = False
    """When no more rows can wait: refuse requests; else they are served and not recorded."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the ledger is; counts are of this process."""

    problem: str = ""
    """Why nothing can be written, in words for people; empty when all is well."""
    since: float = 0.0
    """Epoch seconds: the beginning of the problem."""
    waiting: int = 0
    written: int = 0
    dropped: int = 0
    """Rows that are lost, because too many waited already."""

    @property
    def is_good(self) -> bool:
        return not self.problem


class WritableFile(Protocol):
    """What the ledger needs of a `LedgerFile`."""

    def write(self, entries: list[tuple[int, Row]], flights: Mapping[int, bytes], /) -> None: ...
    def prune(
        self, before: float, largest_bytes: int, most: int, /, *, spared_from: float, most_flight_bytes: int
    ) -> bool: ...
    def close(self) -> None: ...


class Flight(Protocol):
    """How an exchange went, still to be put in words: that happens in the writer's thread."""

    @property
    def held_bytes(self) -> int:
        """What it takes up until then."""
        ...

    def __call__(self) -> bytes: ...


class _Waiting(NamedTuple):
    number: int
    row: Row
    flight: Flight | None


class Ledger:
    """Begins with `start`, ends with `close`; `put` and the questions may be called from any thread."""

    def __init__(
        self,
        path: Path,
        rules: LedgerRules | None = None,
        *,
        clock: Clock | None = None,
        open_file: Callable[[Path, Look], WritableFile] = open_writer,
    ) -> None:
        """`open_file` runs in the writer's thread."""
        self.rules = rules or LedgerRules()
        self._path = path
        self._clock = clock or SystemClock()
        self._open_file = open_file
        self._news = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._held_bytes = 0
        """By flights that wait."""
        self._next_number = secrets.randbits(62)
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._problem = ""
        self._problem_since = 0.0
        self._written = 0
        self._dropped = 0
        # Only the writer's thread touches what follows.
        self._file: WritableFile | None = None
        self._look = Look.AFTER_UNCLEAN_END
        self._pause_s = _FIRST_PAUSE_S
        self._date = CautiousDate()
        self._prune_at = 0.0
        self._unpruned = 0
        self._unpruned_bytes = 0
        self._has_tried_last = False
        """Once closing, a file that still cannot be written gets one more try."""

    def start(self) -> None:
        """Open the file in the background; whether that works is told by `health`."""
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def put(self, row: Row, flight: Flight | None = None) -> None:
        """Leave a row to be written, and how it came to be; neither waits nor raises.

        While too much waits, rows come without their flights.
        """
        held = flight.held_bytes if flight is not None else 0
        with self._news:
            if self._is_closing or self._is_full:
                self._dropped += 1
                return
            if self._held_bytes + held > _MOST_HELD_BYTES:
                flight, held = None, 0
            self._held_bytes += held
            self._queue.append(_Waiting(self._next_number, row, flight))
            self._next_number += 1
            if len(self._queue) in (1, _MOST_AT_ONCE):
                self._news.notify()

    @property
    def is_refusing(self) -> bool:
        """Whether a new request has to be refused, because nobody could record it."""
        return self.rules.fails_closed and self._is_full

    @property
    def health(self) -> Health:
        with self._news:
            return Health(
                problem=self._problem,
                since=self._problem_since,
                waiting=len(self._queue),
                written=self._written,
                dropped=self._dropped,
            )

    def close(self, timeout_s: float = 2.0) -> bool:
        """Write what waits and end; blocks for at most `timeout_s`. The answer is whether everything was written."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
        waiting = len(self._queue)
        if waiting:
            _LOG.warning("the ledger ends; exchanges that could not be recorded: %d", waiting)
        return not waiting

    @property
    def _is_full(self) -> bool:
        return len(self._queue) >= self.rules.most_waiting

    # --- the writer's thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                self._turn(batch)
        except BaseException as error:
            with self._news:
                self._problem = f"the writer ended: {type(error).__name__}"
                self._problem_since = self._clock.now()
            raise
        finally:
            self._let_go()

    def _next_batch(self) -> list[_Waiting] | None:
        """What waits, a moment after the first row came; empty when it is time to prune, None at the end."""
        with self._news:
            if self._problem:
                self._news.wait_for(lambda: self._is_closing, self._pause_s)
            elif self._file is not None:
                self._news.wait_for(lambda: self._queue or self._is_closing, self._idle_s())
                if self._queue:
                    self._news.wait_for(lambda: self._is_closing or len(self._queue) >= _MOST_AT_ONCE, _GATHER_S)
            if self._is_closing and (not self._queue or (self._problem and self._has_tried_last)):
                return None
            self._has_tried_last = self._is_closing
            return list(islice(self._queue, _MOST_AT_ONCE))

    def _turn(self, batch: list[_Waiting]) -> None:
        try:
            if self._file is None:
                self._file = self._open_file(self._path, self._look)
                self._look = Look.NEVER
            if batch:
                rows = [(one.number, one.row) for one in batch]
                if sum(one.flight.held_bytes for one in batch if one.flight is not None) > _MUCH_TO_WORD_BYTES:
                    self._file.write(rows, {})
                flights = {one.number: one.flight() for one in batch if one.flight is not None}
                self._file.write(rows, flights)
                self._take_off(len(batch))
                self._unpruned_bytes += sum(map(len, flights.values()))
            self._prune(self._file)
        except (sqlite3.Error, OSError, StateError) as error:
            self._let_go()
            if in_the_way := self._make_room(error) if is_damaged(error) else error:
                self._fail(words_for(in_the_way))
        else:
            self._succeed()

    def _take_off(self, count: int) -> None:
        with self._news:
            for _ in range(count):
                flight = self._queue.popleft().flight
                self._held_bytes -= flight.held_bytes if flight is not None else 0
            self._written += count
        self._unpruned += count

    def _prune(self, file: WritableFile) -> None:
        is_much = self._unpruned >= _PRUNE_EVERY_ROWS or self._unpruned_bytes >= _PRUNE_EVERY_BYTES
        if self._idle_s() and not is_much:
            return
        monotonic = self._clock.monotonic()
        retention, today = self.rules.retention, self._date.look(self._clock.now(), monotonic)
        has_more = file.prune(
            retention.before(today),
            retention.most_bytes,
            _PRUNE_ROWS,
            spared_from=month_of(today),
            most_flight_bytes=retention.most_flight_bytes,
        )
        self._prune_at = monotonic + (0.0 if has_more else _PRUNE_EVERY_S)
        self._unpruned = self._unpruned_bytes = 0

    def _idle_s(self) -> float:
        """How long there is nothing to prune."""
        return max(0.0, self._prune_at - self._clock.monotonic())

    def _make_room(self, error: Exception) -> Exception | None:
        """Put a damaged file aside; the answer is what is still in the way."""
        try:
            moved = set_aside(self._path, self._clock.now())
        except (sqlite3.Error, OSError, StateError) as another:
            return another
        if moved is None:
            return error
        _LOG.error("the ledger was damaged (%s); it is kept as %s and a new one begins", words_for(error), moved.name)
        return None

    def _fail(self, words: str) -> None:
        """Wait longer each time, and say what is wrong when it is news."""
        known = self._problem
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) if known else _FIRST_PAUSE_S
        with self._news:
            self._problem = words
            self._problem_since = self._problem_since if known else self._clock.now()
        if words != known:
            _LOG.warning("the ledger cannot be written: %s; up to %d rows wait", words, self.rules.most_waiting)

    def _succeed(self) -> None:
        if not self._problem:
            return
        with self._news:
            self._problem, self._problem_since = "", 0.0
            dropped = self._dropped
        _LOG.warning("the ledger is written again; exchanges not recorded since the start: %d", dropped)

    def _let_go(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except sqlite3.Error as error:
                _LOG.warning("the ledger did not close well: %s", words_for(error))
