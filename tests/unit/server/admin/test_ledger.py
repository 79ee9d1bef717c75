from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import Busy, StateError
from iflow_cli_proxy.server.admin.ledger import _ask, ask_ledger
from iflow_cli_proxy.state.ledger_file import open_writer


def count(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM exchanges").fetchone()[0]
    return found


def without_end(connection: sqlite3.Connection) -> int:
    sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    found: int = connection.execute(sql).fetchone()[0]
    return found


async def test_nothing_was_ever_written(tmp_path: Path) -> None:
    assert await ask_ledger(tmp_path / "usage.sqlite3", count, nothing=-1) == -1


async def test_the_question_is_put_to_a_connection_that_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    open_writer(path).close()

    assert await ask_ledger(path, count, nothing=-1) == 0
    with pytest.raises(sqlite3.OperationalError):
        await ask_ledger(path, lambda connection: connection.execute("DELETE FROM exchanges"), nothing=None)


def test_i48_a_question_without_end_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    open_writer(path).close()

    with pytest.raises(Busy):
        _ask(path, without_end, 0, 1, longest_s=0.05)


async def test_a_file_that_is_none_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    path.write_bytes(b"no database" * 100)

    with pytest.raises(StateError):
        await ask_ledger(path, count, nothing=0)
