"""Asking the ledger for the admin page: in a thread, by a connection that only reads, and never for long (I48)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from iflow_cli_proxy.core.errors import Busy
from iflow_cli_proxy.state.ledger_file import open_reader

T = TypeVar("T")

LONGEST_S: Final = 5.0
_LOOKS_EVERY: Final = 20_000
"""Steps of the database between two looks at the clock."""


async def ask_ledger(path: Path, question: Callable[[sqlite3.Connection], T], *, nothing: T, oldest: int = 1) -> T:
    """The answer; `nothing` while nothing was ever written, or no tables as new as version `oldest`.

    Raises:
        Busy: it would take too long.
        StateError: the file cannot be read.
    """
    return await asyncio.to_thread(_ask, path, question, nothing, oldest)


def _ask(
    path: Path, question: Callable[[sqlite3.Connection], T], nothing: T, oldest: int, longest_s: float = LONGEST_S
) -> T:
    connection = open_reader(path, oldest=oldest)
    if connection is None:
        return nothing
    ends_at = time.monotonic() + longest_s
    with closing(connection):
        connection.set_progress_handler(lambda: time.monotonic() > ends_at, _LOOKS_EVERY)
        try:
            return question(connection)
        except Exception as error:
            if time.monotonic() > ends_at:
                raise Busy(
                    "The ledger is too large to answer this at once.", hint="ask about fewer days", retry_after_s=1.0
                ) from error
            raise
