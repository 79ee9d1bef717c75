from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from iflow_cli_proxy.cli.accounting.screen import Report, chart, cost_text, footnotes, headline, show
from iflow_cli_proxy.state.ledger_queries import Group, Sums
from iflow_cli_proxy.state.ledger_question import Question

SINCE = 1_795_003_200.0
"""2026-11-18T12:00:00Z."""
LONG = "a-model-whose-name-is-longer-than-anybody-can-remember"


def sums(tokens: int = 0, **fields: object) -> Sums:
    return Sums(**{"requests": 1, "prompt": tokens, **fields})  # type: ignore[arg-type]


def by_model() -> Report:
    groups: list[Group] = [
        (("glm-5",), sums(1_234_567, completion=89_000, cached=1000, requests=12_345, errors=123, cost={"USD": 12.5})),
        ((LONG,), sums(98_765_432, completion=1000, estimated=1, unpriced=3)),
    ]
    days: list[Group] = [(("2026-11-16",), sums(5)), (("2026-11-18",), sums(10))]
    spread: list[Group] = [
        (("glm-5", "2026-11-16"), sums(5)),
        (("glm-5", "2026-11-18"), sums(1)),
        ((LONG, "2026-11-18"), sums(9)),
    ]
    return Report(question=Question(by=("model",), since=SINCE), groups=groups, days=days, days_of_groups=spread)


def screenful(report: Report, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    show(report)
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)


def test_on_a_pipe_it_is_a_plain_and_complete_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(by_model())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "model", "requests", "errors", "prompt", "cached", "completion", "reasoning", "cost",
    ]  # fmt: skip
    assert lines[1].split() == [LONG, "1", "-", "~98,765,432", "0", "~1,000", "0", "-"]
    assert lines[2].split() == ["glm-5", "12,345", "1.0%", "1,234,567", "1,000", "89,000", "0", "$12.50"]
    assert lines[3].split() == ["total", "12,346", "1.0%", "~99,999,999", "~1,000", "~90,000", "0", "~$12.50+"]
    assert len({len(line) for line in lines}) == 1
    assert "".join(lines).isascii()


@pytest.mark.parametrize("width", [45, 80, 120, 200])
def test_it_fits_the_screen(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = screenful(by_model(), width, monkeypatch, capsys).splitlines()
    assert max(map(cell_len, lines)) <= width
    table = next(line for line in lines if line.startswith("model"))
    assert {"requests", "prompt", "completion"} <= set(table.split())
    assert ("cost" in table.split()) is (width >= 80)
    assert ("trend" in table.split()) is (width >= 120)


def test_a_wide_screen_shows_bars_and_trends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = screenful(by_model(), 200, monkeypatch, capsys).splitlines()
    largest, other = (next(line for line in lines if line.startswith(name)) for name in (LONG[:20], "glm-5"))
    assert "████████████" in largest
    assert "▏" in other
    assert other.rstrip().endswith("█ ▂")


def test_days_stay_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    groups: list[Group] = [(("2026-11-16",), sums(5)), (("2026-11-18",), sums(10))]
    show(Report(question=Question(by=("day",), since=SINCE), groups=groups, days=groups, days_of_groups=()))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][1:] == [
        "2026-11-16",
        "2026-11-18",
        "total",
    ]


def test_the_chart_has_a_column_for_each_day_that_of_silence_too() -> None:
    lines = chart(by_model(), 40)
    assert lines[0] == "tokens"
    assert lines[1] == "10 ┤            █████"
    assert lines[-3] == "   │█████       █████"
    assert lines[-2] == " 0 └──────────────────"
    assert lines[-1].split() == ["2026-11-16", "2026-11-18"]


def test_a_long_time_is_squeezed_into_the_chart() -> None:
    days: list[Group] = [((f"2026-{month:02}-01",), sums(month)) for month in range(1, 13)]
    report = Report(question=Question(by=("day",), since=SINCE), groups=days, days=days, days_of_groups=())
    assert max(map(len, chart(report, 60))) <= 60


def test_one_day_and_silence_have_no_chart() -> None:
    for days in ([], [(("2026-11-16",), sums(5))], [(("2026-11-16",), sums()), (("2026-11-17",), sums())]):
        report = Report(question=Question(by=("day",), since=SINCE), groups=days, days=days, days_of_groups=())
        assert chart(report, 80) == []


def test_the_headline_says_when_and_how_much() -> None:
    text = headline(by_model())
    assert text.startswith("2026-11-1")
    assert " to now · 12,346 requests, 1.0% errors · ~99,999,999 tokens in, ~90,000 out · ~$12.50+" in text


def test_marks_are_explained_where_there_are_any() -> None:
    assert footnotes(sums(5)) == []
    assert [note[0] for note in footnotes(sums(5, estimated=1, unpriced=1, cost={"USD": 1.0}))] == ["~", "+"]


def test_money_of_several_currencies_is_not_added_up() -> None:
    assert cost_text(sums(cost={"USD": 1234.5, "CNY": 0.25})) == "0.2500 CNY $1,234.50"
    assert cost_text(sums()) == "-"


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    groups: list[Group] = [(("\x1b[31mred",), sums(5))]
    show(Report(question=Question(by=("model",), since=SINCE), groups=groups, days=(), days_of_groups=()))
    assert "\x1b" not in capsys.readouterr().out
