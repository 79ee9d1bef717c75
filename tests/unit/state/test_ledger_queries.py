from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.pool.allowance import Spent
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import (
    Sums,
    by_account,
    find,
    recent,
    spent,
    spent_by_key,
    sums_by,
    total,
)
from tests.support.ledgers import NOON, fill, row

DAY = 86_400.0
ROWS = [
    row(1, at=NOON - DAY, client="alice", account="work", provider="zai", model_asked="claude", model_served="glm-5",
        protocol="anthropic", prompt=100, cached=40, completion=10, cost=0.5, currency="USD", first_byte_s=0.5,
        duration_s=2.0),
    row(2, at=NOON, client="alice", account="work", provider="zai", model_served="glm-5", protocol="openai_chat",
        prompt=200, completion=20, reasoning=5, cost=3.0, currency="CNY", duration_s=1.0),
    row(3, at=NOON + 1, client="bob", account="home", provider="desk", model_served="llama", prompt=7, completion=3,
        is_estimated=True, first_byte_s=0.1),
    row(4, at=NOON + 2, model_asked="nothing", status=404, error_kind="unknown_model"),
    row(5, at=NOON + 3, client="bob", account="home", provider="desk", model_served="llama", status=499),
]  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    fill(tmp_path / "usage.sqlite3", ROWS)
    connection = open_reader(tmp_path / "usage.sqlite3")
    assert connection is not None
    with closing(connection):
        yield connection


def test_everything_together(ledger: sqlite3.Connection) -> None:
    assert sums_by(ledger, (), 0) == [
        (
            (),
            Sums(
                requests=5,
                errors=2,
                prompt=307,
                cached=40,
                completion=33,
                reasoning=5,
                estimated=1,
                unpriced=1,
                cost={"USD": 0.5, "CNY": 3.0},
                first_byte_s=0.6,
                first_bytes=2,
                duration_s=3.0,
            ),
        )
    ]


@pytest.mark.parametrize(
    ("by", "requests"),
    [
        (("day",), {("2026-11-17",): 1, ("2026-11-18",): 4}),
        (("model",), {("glm-5",): 2, ("llama",): 2, ("nothing",): 1}),
        (("account",), {("",): 1, ("desk/home",): 2, ("zai/work",): 2}),
        (("key",), {("",): 1, ("alice",): 2, ("bob",): 2}),
        (("protocol",), {("",): 3, ("anthropic",): 1, ("openai_chat",): 1}),
        (("provider",), {("",): 1, ("desk",): 2, ("zai",): 2}),
        (
            ("key", "day"),
            {("", "2026-11-18"): 1, ("alice", "2026-11-17"): 1, ("alice", "2026-11-18"): 1, ("bob", "2026-11-18"): 2},
        ),
    ],
)
def test_groups_and_their_order(ledger: sqlite3.Connection, by: tuple[str, ...], requests: dict[str, int]) -> None:
    groups = sums_by(ledger, by, 0)  # type: ignore[arg-type]  # names from a table
    assert [(names, sums.requests) for names, sums in groups] == list(requests.items())


def test_several_currencies_of_one_group_are_one_group(ledger: sqlite3.Connection) -> None:
    ((_, sums),) = [group for group in sums_by(ledger, ("key",), 0) if group[0] == ("alice",)]
    assert (sums.requests, sums.cost) == (2, {"USD": 0.5, "CNY": 3.0})
    assert total(sums_by(ledger, ("key",), 0)) == total(sums_by(ledger, (), 0))


def test_a_time_begins_with_its_first_moment_and_ends_before_its_last(ledger: sqlite3.Connection) -> None:
    assert total(sums_by(ledger, (), NOON, NOON + 2)).requests == 2
    assert sums_by(ledger, (), NOON + 100) == []


def test_days_can_be_those_of_this_machine(ledger: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kamchatka")  # UTC+12
    time.tzset()
    try:
        days = [names for names, _ in sums_by(ledger, ("day",), 0, is_local=True)]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert days == [("2026-11-18",), ("2026-11-19",)]


def test_what_each_account_did(ledger: sqlite3.Connection) -> None:
    found = by_account(ledger, NOON)
    assert {name: (sums.requests, sums.tokens) for name, sums in found.items()} == {
        "desk/home": (2, 10),
        "zai/work": (1, 220),
    }


def test_what_a_key_has_spent_is_counted_in_dollars(ledger: sqlite3.Connection) -> None:
    assert spent(ledger, "alice", 0) == Spent(tokens=330, cost=0.5)
    assert spent(ledger, "alice", NOON) == Spent(tokens=220, cost=0.0)
    assert spent(ledger, "nobody", 0) == Spent()
    assert set(spent_by_key(ledger, 0)) == {"alice", "bob"}


def test_a_key_does_not_pay_for_an_earlier_one_of_its_name(ledger: sqlite3.Connection) -> None:
    assert spent_by_key(ledger, 0, born={"alice": NOON, "carol": NOON}) == {
        "alice": Spent(tokens=220, cost=0.0),
        "bob": Spent(tokens=10, cost=0.0),
    }
    assert set(spent_by_key(ledger, 0, born={"alice": NOON + 1})) == {"bob"}


def test_the_last_rows_come_first_and_failures_alone_when_asked(ledger: sqlite3.Connection) -> None:
    assert [one.request_id for one in recent(ledger, 2)] == ["req_5", "req_4"]
    assert [one.request_id for one in recent(ledger, 9, only_failed=True)] == ["req_5", "req_4"]


def test_one_exchange_is_found_and_comes_back_whole(ledger: sqlite3.Connection) -> None:
    assert find(ledger, "req_1") == ROWS[0]
    assert find(ledger, "req_99") is None


def test_of_an_id_used_twice_the_last_one_is_found(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    fill(path, [row(1, status=200), row(1, status=500)])
    reader = open_reader(path)
    assert reader is not None
    with closing(reader):
        found = find(reader, "req_1")
    assert found is not None
    assert found.status == 500


def test_shares_and_means_of_nothing_are_nothing() -> None:
    assert (Sums().error_share, Sums().tokens, total([])) == (0.0, 0, Sums())


def test_a_file_that_breaks_while_it_is_read_is_told(ledger: sqlite3.Connection) -> None:
    ledger.close()
    with pytest.raises(StateError, match="cannot be read"):
        recent(ledger, 1)


def test_100_000_rows_are_summed_in_less_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite3"
    models = ("glm-5", "glm-4.7", "llama", "qwen3")
    fill(path, (row(n, at=NOON - n * 20.0, model_served=models[n % 4], prompt=n, cost=0.1) for n in range(100_000)))
    reader = open_reader(path)
    assert reader is not None
    with closing(reader):
        began = time.process_time()
        groups = sums_by(reader, ("model", "day"), 0, is_local=True)
        took = time.process_time() - began
    assert total(groups).requests == 100_000
    assert took < 1.0
