"""The newest lines of the log, kept in memory for whoever watches the running process.

Written by the log's thread and read on the event loop. Holds what the JSON lines hold: masked, each on one line.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from iflow_cli_proxy.telemetry.formats import document_of
from iflow_cli_proxy.telemetry.targets import shown_by

MOST_LINES: Final = 2000
_LONGEST: Final = 2000
"""Characters of one text: so that the lines that strangers can make long take a few MB at most."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """`next` is what to ask `after` for the lines that follow, whether or not there was any of the wanted level."""

    lines: Sequence[Mapping[str, Any]]
    next: int


class RecentLines:
    """A ring of documents, numbered from 1 in `seq`. May be used from any thread."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=most)
        self._last = 0
        self._lock = threading.Lock()
        self._listeners: dict[object, tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = {}

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        """Take lines in. Refuses to raise."""
        documents = [shown_by(_kept_of, record) for record in records]
        with self._lock:
            for document in documents:
                self._last += 1
                self._lines.append({"seq": self._last, **document})
            listeners = tuple(self._listeners.values())
        for loop, listener in listeners:
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(listener)

    def after(self, seq: int = 0, level: str = "debug", limit: int = MOST_LINES) -> Page:
        """The next `limit` lines of `level` or worse after line `seq`; after 0, the newest ones, for a first look.

        A `seq` from before a restart of the process begins anew.
        """
        with self._lock:
            lines, last = tuple(self._lines), self._last
        least = _rank(level)
        if not 0 < seq <= last:
            wanted = (line for line in reversed(lines) if _rank(line["level"]) >= least)
            return Page(lines=tuple(islice(wanted, limit))[::-1], next=last)
        unseen = lines[max(0, len(lines) - (last - seq)) :]
        found = tuple(islice((line for line in unseen if _rank(line["level"]) >= least), limit))
        return Page(lines=found, next=found[-1]["seq"] if len(found) == limit and found else last)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called on the running loop when lines have come, once a batch. The answer ends that."""
        token = object()
        with self._lock:
            self._listeners[token] = (asyncio.get_running_loop(), listener)

        def end() -> None:
            with self._lock:
                self._listeners.pop(token, None)

        return end


def _kept_of(record: logging.LogRecord) -> Mapping[str, Any]:
    return {name: _cut(value) if isinstance(value, str) else value for name, value in document_of(record).items()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@lru_cache(maxsize=16)
def _rank(level: str) -> int:
    """How bad it is; a level that nobody knows is shown always."""
    rank: int = logging.getLevelNamesMapping().get(level.upper(), logging.CRITICAL)
    return rank
