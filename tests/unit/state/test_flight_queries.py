"""Single exchanges and how they went, asked of real files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.flight_queries import TABLES, find, ids_from, last
from iflow_cli_proxy.state.ledger_file import open_reader
from tests.support.flights import flight, record
from tests.support.ledgers import row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite3"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    record(
        path,
        [
            (row(1, error_kind="busy", status=503), flight()),
            (row(10), flight(repairs=3)),
            (row(11), None),
            (row(1, status=200), flight(repairs=7)),
        ],
    )
    opened = open_reader(path, oldest=TABLES)
    assert opened is not None
    with closing(opened):
        yield opened


def test_an_id_that_was_used_twice_is_the_last_one(connection: sqlite3.Connection) -> None:
    one = find(connection, "req_1")
    assert one is not None
    assert one.flight is not None
    assert (one.row.status, one.flight["repairs"], one.cursor) == (200, 7, 4)
    assert find(connection, "req_") is None


def test_a_row_without_a_flight_says_so(connection: sqlite3.Connection) -> None:
    one = find(connection, "req_11")
    assert one is not None
    assert one.flight is None
    assert one.as_json()["flight"] is None


def test_the_last_one_and_the_last_failure(connection: sqlite3.Connection) -> None:
    newest, failed = last(connection), last(connection, only_failed=True)
    assert newest is not None
    assert failed is not None
    assert (newest.cursor, failed.cursor, failed.row.error_kind) == (4, 1, "busy")


def test_ids_are_found_by_their_beginning_the_newest_first(connection: sqlite3.Connection) -> None:
    assert ids_from(connection, "req_1") == ["req_1", "req_11", "req_10"]
    assert ids_from(connection, "req_11") == ["req_11"]
    assert ids_from(connection, "%") == ids_from(connection, "req_1_") == ids_from(connection, "' OR 1") == []


def test_the_shape_of_a_row_is_that_of_the_request_log(connection: sqlite3.Connection) -> None:
    one = last(connection, only_failed=True)
    assert one is not None
    shown = one.as_json()["row"]
    assert (shown["id"], shown["cursor"], shown["error_kind"]) == ("req_1", 1, "busy")
    assert shown["at"].startswith("2026-11-18T12:00:01")
    assert shown["attempts"] == 0


def test_a_file_of_the_version_before_is_not_asked(path: Path) -> None:
    record(path, [(row(1), None)])
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("DROP TABLE flights")
        opened.execute("PRAGMA user_version = 1")
    assert open_reader(path, oldest=TABLES) is None
    older = open_reader(path)
    assert older is not None
    older.close()


def test_a_damaged_flight_is_an_error_in_words(path: Path) -> None:
    record(path, [(row(1), flight())])
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("UPDATE flights SET document = x'7b7b'")
    opened = open_reader(path)
    assert opened is not None
    with closing(opened), pytest.raises(StateError, match="damaged"):
        last(opened)
