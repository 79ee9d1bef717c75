from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_search import Search, search
from tests.support.ledgers import fill, row

ROWS = [
    row(0, client="alice", account="work", provider="iflow", model_asked="glm-5", model_served="glm-5"),
    row(1, client="bob", account="home", provider="qwen", model_asked="auto", model_served="qwen3-max"),
    row(
        2, client="alice", account="work", provider="iflow", model_asked="50%_off", error_kind="rate_limited",
        status=429,
    ),
    row(3, request_id="it's-mine", client="o'neill", model_asked="a\\b"),
]  # fmt: skip


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    fill(tmp_path / "usage.sqlite3", ROWS)
    opened = open_reader(tmp_path / "usage.sqlite3")
    assert opened is not None
    with closing(opened):
        yield opened


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        (Search(), [3, 2, 1, 0]),
        (Search(most=2), [3, 2]),
        (Search(only_failed=True), [2]),
        (Search(key="ALICE"), [2, 0]),
        (Search(model="qwen"), [1]),
        (Search(account="iflow/w"), [2, 0]),
        (Search(text="home"), [1]),
        (Search(text="rate_"), [2]),
        (Search(text="req_1"), [1]),
        (Search(key="alice", model="glm"), [0]),
        (Search(text="nothing like it"), []),
    ],
)
def test_words_may_stand_anywhere_in_a_name(connection: sqlite3.Connection, wish: Search, found: list[int]) -> None:
    assert [one.request_id for _, one in search(connection, wish)] == [ROWS[at].request_id for at in found]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("%", 1),
        ("_", 3),
        ("50%_", 1),
        ("'", 1),
        ("o'neill", 1),
        ("\\", 1),
        ("' OR 1=1 --", 0),
        ("%%", 0),
        ("\ud800", 0),
    ],
)
def test_i48_every_character_means_itself(connection: sqlite3.Connection, text: str, count: int) -> None:
    assert len(search(connection, Search(text=text))) == count


def test_pages_follow_each_other_without_a_gap(connection: sqlite3.Connection) -> None:
    first = search(connection, Search(most=3))
    rest = search(connection, Search(before=first[-1][0]))

    assert [cursor for cursor, _ in [*first, *rest]] == sorted((cursor for cursor, _ in [*first, *rest]), reverse=True)
    assert len(first) + len(rest) == len(ROWS)
