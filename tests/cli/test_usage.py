"""`usage`: the ledger as a table, as JSON and as CSV."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from iflow_cli_proxy.state.ledger_file import open_writer
from tests.support.cli import run_cli
from tests.support.ledgers import fill, row
from tests.support.window import ROOT, window

DAY = 86_400.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    now = time.time()
    fill(
        tmp_path / "usage.sqlite3",
        [
            row(1, at=now - 2 * DAY, client="alice", model_served="glm-5", prompt=1000, completion=50, cost=0.25,
                currency="USD", protocol="anthropic"),
            row(2, at=now - 1, client="bob", model_served="llama", prompt=2000, is_estimated=True, status=502,
                error_kind="upstream_failing", protocol="openai_chat"),
            row(3, at=now - 40 * DAY, client="bob", model_served="llama", prompt=9),
        ],
    )  # fmt: skip
    return tmp_path


def test_a_table_by_day_of_the_last_week(home: Path) -> None:
    got = run_cli("usage", env={"IFLOW2API_HOME": str(home)})
    assert (got.code, got.err) == (0, "")
    lines = [line.split() for line in got.out.splitlines()]
    assert [line[0] for line in lines][::3] == ["day", "total"]
    assert lines[-1][1:4] == ["2", "50.0%", "~3,000"]


def test_groups_and_time_can_be_chosen(home: Path) -> None:
    got = run_cli("usage", "--by", "key,model", "--since", "60d", "--json", env={"IFLOW2API_HOME": str(home)})
    rows = [(one["key"], one["model"], one["requests"]) for one in got.json["rows"]]
    assert rows == [("alice", "glm-5", 1), ("bob", "llama", 2)]
    assert got.json["total"]["prompt_tokens"] == 3009

    got = run_cli("usage", "--since", "60d", "--until", "yesterday", "--json", env={"IFLOW2API_HOME": str(home)})
    assert got.json["total"]["requests"] == 2


def test_csv_is_a_line_for_each_group(home: Path) -> None:
    got = run_cli("usage", "--by", "protocol", "--csv", env={"IFLOW2API_HOME": str(home)})
    assert [line.split(",")[:3] for line in got.out.splitlines()] == [
        ["protocol", "requests", "errors"],
        ["anthropic", "1", "0"],
        ["openai_chat", "1", "1"],
    ]


def test_a_running_gateway_is_not_disturbed(home: Path) -> None:
    with closing(open_writer(home / "usage.sqlite3")) as file:
        file.write([(77, row(77, at=time.time() - 1))])
        got = run_cli("usage", "--json", env={"IFLOW2API_HOME": str(home)})
        file.write([(78, row(78))])
    assert got.json["total"]["requests"] == 3


def test_without_a_ledger_it_says_how_one_begins(tmp_path: Path) -> None:
    got = run_cli("usage", env={"IFLOW2API_HOME": str(tmp_path)})
    assert (got.code, got.out) == (0, "")
    assert "Nothing was ever recorded" in got.err
    assert run_cli("usage", "--json", env={"IFLOW2API_HOME": str(tmp_path)}).json["rows"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_time_of_silence_is_told(home: Path) -> None:
    got = run_cli("usage", "--since", "2020-01-01", "--until", "2020-02-01", env={"IFLOW2API_HOME": str(home)})
    assert (got.code, got.out) == (0, "")
    assert "Nothing happened" in got.err


@pytest.mark.parametrize("args", [("--by", "colour"), ("--since", "soon"), ("--json", "--csv")])
def test_what_makes_no_sense_is_wrong_usage(home: Path, args: tuple[str, ...]) -> None:
    assert run_cli("usage", *args, env={"IFLOW2API_HOME": str(home)}).code == 2


def test_a_damaged_ledger_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "usage.sqlite3").write_bytes(b"not a database, " * 1000)
    got = run_cli("usage", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 1
    assert "The ledger cannot be read" in got.err
    assert "Traceback" not in got.err


async def test_in_a_window_of_80_columns_there_is_a_chart_and_a_table(home: Path) -> None:
    around = {"IFLOW2API_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    async with window("-m", "iflow_cli_proxy", "usage", "--by", "model", "--since", "7d", env=around) as shown:
        await shown.see(r"total +2 ")
        assert await shown.end() == 0
    assert "┤" in shown.text
    assert "tokens" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 80
