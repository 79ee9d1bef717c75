"""`explain`: on a pipe, as JSON, in a window, and what it says when there is nothing to say."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.cli import run_cli
from tests.support.flights import attempt, flight, part, record
from tests.support.ledgers import row
from tests.support.window import ROOT, window

FAILED = flight(
    attempt(account="work", status=429, error_kind="rate_limited", message="Too fast.", retry="another account"),
    attempt(
        n=2,
        account="home",
        error_kind="timed_out",
        message="No answer.",
        started_s=1.0,
        headers_s=None,
        first_content_s=None,
        ended_s=2.0,
    ),
    error={"kind": "timed_out", "message": "No answer came.", "hint": "ask again"},
    client_request=part(method="POST", path="/v1/x", query={}, bytes=12, fields=["model", "seed"]),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    record(
        tmp_path / "usage.sqlite3",
        [
            (row(1, status=504, error_kind="timed_out", duration_s=2.0, protocol="openai_chat"), FAILED),
            (row(2, protocol="anthropic"), flight()),
            (row(3), None),
        ],
    )
    return tmp_path


def env(home: Path) -> dict[str, str]:
    return {"IFLOW2API_HOME": str(home)}


def test_the_last_failure_says_first_who_failed_and_why(home: Path) -> None:
    got = run_cli("explain", env=env(home))
    assert (got.code, got.err) == (0, "")
    told = got.out.splitlines()
    assert told[0] == "req_1  504 timed_out"
    assert told[3:6] == ["No answer came.", "Hint: ask again", "Failed: work (rate_limited), home (timed_out)"]
    assert "    → another account" in told
    assert "recorder.contents true" in told[-1]


def test_the_last_of_any_kind_and_one_by_the_beginning_of_its_id(home: Path) -> None:
    assert run_cli("explain", "--last", env=env(home)).out.startswith("req_3  200 ok")
    assert run_cli("explain", "2", env=env(home)).out.startswith("req_2  200 ok")


def test_json_has_row_and_flight(home: Path) -> None:
    got = run_cli("explain", "req_1", "--json", env=env(home)).json
    assert (got["row"]["id"], got["row"]["status"]) == ("req_1", 504)
    assert got["flight"] == FAILED
    assert run_cli("explain", "req_3", "--json", env=env(home)).json["flight"] is None


def test_where_nothing_was_recorded_the_next_step_is_told(home: Path, tmp_path: Path) -> None:
    assert "config set recorder.enabled true" in run_cli("explain", "req_3", env=env(home)).out
    got = run_cli("explain", env=env(tmp_path / "elsewhere"))
    assert (got.code, got.out) == (1, "")
    assert "Nothing was ever recorded here." in got.err
    got = run_cli("explain", "nobody", env=env(home))
    assert (got.code, got.out) == (1, "")
    assert "explain --last" in got.err


def test_save_writes_a_file_for_its_owner_alone_and_no_other_file_is_lost(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    for _ in range(2):
        got = run_cli("explain", "1", "--save", str(file), env=env(home))
        assert (got.code, got.out) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    saved = jsonx.decode(file.read_bytes())
    assert (saved["format"], saved["flight"]) == ("iflow2api-flight", FAILED)

    file.write_text("precious")
    got = run_cli("explain", "1", "--save", str(file), env=env(home))
    assert (got.code, file.read_text()) == (2, "precious")


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_in_a_window_no_line_is_wider_than_it(home: Path, width: int) -> None:
    around = {"IFLOW2API_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    async with window("-m", "iflow_cli_proxy", "explain", "1", env=around, width=width) as shown:
        await shown.see(r"recorder\.contents")
        assert await shown.end() == 0
    assert "░" in shown.text
    assert max(map(len, shown.text.splitlines())) <= width
