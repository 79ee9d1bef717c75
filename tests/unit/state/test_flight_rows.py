"""Flights in a real file: packed, written, pruned."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from math import inf
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.flight_rows import packed, prune, size_bytes, unpacked
from iflow_cli_proxy.state.ledger_file import LedgerFile, open_writer
from tests.support.ledgers import NOON, row

LARGE = 1 << 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[LedgerFile]:
    with closing(open_writer(path)) as one:
        yield one


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT entry FROM flights ORDER BY id")]


@pytest.mark.parametrize("size", [2, 100, 16_384, 16_385, 3_000_000])
def test_what_is_packed_comes_back(size: int) -> None:
    document = b"{" + b"a" * (size - 2) + b"}"
    assert unpacked(packed(document)) == document
    assert len(packed(document)) <= max(size, 16_384)


def test_damage_is_told() -> None:
    stored = packed(random.Random(1).randbytes(20_000).hex().encode())
    for broken in (stored[:-5], stored[:100], stored[:50] + b"\0\0\0" + stored[53:]):
        with pytest.raises(StateError, match="damaged"):
            unpacked(broken)


def test_a_flight_is_written_with_its_row_and_once(file: LedgerFile, path: Path) -> None:
    file.write([(1, row(1)), (2, row(2))], {2: b"{}", 9: b"{}"})
    file.write([(2, row(2))], {2: b'{"another":1}'})
    assert numbers(path) == [2]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT document, size, at FROM flights").fetchall() == [(b"{}", 2, NOON + 2)]


def test_a_flight_goes_with_its_row(file: LedgerFile, path: Path) -> None:
    file.write([(number, row(number)) for number in range(4)], dict.fromkeys(range(4), b"{}"))
    file.prune(NOON + 2, LARGE, 1000)
    assert numbers(path) == [2, 3]


def test_a_row_that_a_budget_needs_outlives_its_flight(file: LedgerFile, path: Path) -> None:
    file.write([(1, row(1, client="alice"))], {1: b"{}"})
    file.prune(inf, LARGE, 1000, spared_from=0.0)
    assert numbers(path) == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone() == (1,)


def test_only_as_many_of_the_oldest_go_as_are_too_many(file: LedgerFile, path: Path) -> None:
    file.write([(number, row(number)) for number in range(10)], dict.fromkeys(range(10), b"{" + b"x" * 999))
    file.prune(-inf, LARGE, 1000, most_flight_bytes=3500)
    assert numbers(path) == [7, 8, 9]
    file.prune(-inf, LARGE, 1000, most_flight_bytes=3500)
    assert numbers(path) == [7, 8, 9]


def test_flights_are_no_reason_to_delete_rows(file: LedgerFile, path: Path) -> None:
    contents = [random.Random(number).randbytes(60_000).hex().encode() for number in range(20)]
    file.write([(number, row(number)) for number in range(20)], dict(enumerate(contents)))
    file.prune(-inf, 400_000, 1000)
    assert len(numbers(path)) == 20


def test_pruning_has_an_end(file: LedgerFile, path: Path) -> None:
    file.write([(number, row(number)) for number in range(30)], dict.fromkeys(range(30), b"{}"))
    with closing(sqlite3.connect(path)) as connection, connection:
        assert prune(connection, inf, LARGE, 12) == 12
        assert prune(connection, inf, LARGE, 100) == 18
        assert size_bytes(connection) == 0
