"""What accounts did today, as lists of accounts show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.accounting.today import NO_USE, read_today, today_text
from iflow_cli_proxy.state.ledger_queries import Sums
from iflow_cli_proxy.state.ledger_question import day_began
from iflow_cli_proxy.state.ledger_shapes import short_json
from tests.support.ledgers import NOON, fill, row


def test_today_counts_from_midnight_and_each_account_for_itself(tmp_path: Path) -> None:
    midnight = day_began(NOON)
    mine = {"provider": "iflow", "account": "first", "prompt": 100, "completion": 20}
    fill(
        tmp_path / "usage.sqlite3",
        [
            row(1, at=midnight - 1, **mine),
            row(2, at=midnight, **mine),
            row(3, at=NOON, **{**mine, "account": "second"}),
            row(4, at=NOON, provider="qwen", account="first", status=502, error_kind="unreachable"),
        ],
    )

    today = read_today(tmp_path / "usage.sqlite3", NOON)

    assert (today.of("iflow", "first").requests, today.of("iflow", "first").tokens) == (1, 120)
    assert today.of("iflow", "second").requests == 1
    assert today.of("qwen", "first").errors == 1
    assert today.of("qwen", "second") == NO_USE


def test_without_a_ledger_nobody_did_anything(tmp_path: Path) -> None:
    assert read_today(tmp_path / "usage.sqlite3", NOON).of("iflow", "first") == NO_USE


def test_a_damaged_ledger_is_told_and_the_accounts_are_shown_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "usage.sqlite3").write_bytes(b"this is no database at all" * 100)

    assert read_today(tmp_path / "usage.sqlite3", NOON).of("iflow", "first") == NO_USE
    assert "The ledger cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sums", "text"),
    [
        (Sums(), ""),
        (Sums(requests=12, prompt=3000, completion=400), "12 · 3.4k tokens"),
        (Sums(requests=1, errors=1), "1 · 0 tokens · 1 failed"),
    ],
)
def test_the_text_is_short_and_names_failures(sums: Sums, text: str) -> None:
    assert today_text(sums) == text


def test_the_shape_holds_costs_by_currency() -> None:
    sums = Sums(requests=2, errors=1, prompt=7, completion=3, cost={"USD": 0.25})

    assert short_json(sums) == {"requests": 2, "errors": 1, "tokens": 10, "cost": {"USD": 0.25}}
