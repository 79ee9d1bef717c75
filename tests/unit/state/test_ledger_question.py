from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.ledger_question import day_of, question_from

NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC).timestamp()


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Shanghai"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("7d", "2026-11-14 00:00"),
        ("1d", "2026-11-20 00:00"),
        ("0d", "2026-11-20 00:00"),
        ("2w", "2026-11-07 00:00"),
        ("12h", "2026-11-19 14:30"),
        ("90m", "2026-11-20 01:00"),
        ("today", "2026-11-20 00:00"),
        ("Yesterday", "2026-11-19 00:00"),
        ("2026-11-01", "2026-11-01 00:00"),
        ("2026-11-01T18:00", "2026-11-01 18:00"),
        ("2026-11-01T18:00:00+02:00", "2026-11-01 16:00"),
    ],
)
def test_when_it_begins(since: str, moment: str) -> None:
    question = question_from("day", since, "", NOW)
    assert (shown(question.since), question.until) == (moment, inf)


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("until", "moment"),
    [("2026-11-19", "2026-11-20 00:00"), ("yesterday", "2026-11-20 00:00"), ("1h", "2026-11-20 01:30")],
)
def test_a_day_at_the_end_counts_whole(until: str, moment: str) -> None:
    assert shown(question_from("day", "30d", until, NOW).until) == moment


def test_days_begin_at_midnight_in_every_zone(zone: str) -> None:
    question = question_from("day", "7d", "yesterday", NOW)
    assert shown(question.since).endswith("00:00")
    assert shown(question.until).endswith("00:00")
    today = "2026-11-19" if zone == "America/New_York" else "2026-11-20"
    assert day_of(question.until).isoformat() == today


def test_a_day_on_which_the_clock_is_changed_is_a_whole_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        question = question_from("day", "2026-11-01", "2026-11-01", NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert question.until - question.since == 25 * 3600


def test_groups_keep_their_order_and_are_named_once() -> None:
    assert question_from(" Model,day, model", "7d", "", NOW).by == ("model", "day")


@pytest.mark.parametrize(
    ("by", "since", "until", "flag"),
    [
        ("colour", "7d", "", "--by"),
        (",", "7d", "", "--by"),
        ("day", "soon", "", "--since"),
        ("day", "2026-13-01", "", "--since"),
        ("day", "999999w", "", "--since"),
        ("day", "", "", "--since"),
        ("day", "7d", "2026-11-31", "--until"),
        ("day", "today", "yesterday", "--until"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_flag(by: str, since: str, until: str, flag: str) -> None:
    with pytest.raises(ConfigError) as caught:
        question_from(by, since, until, NOW)
    assert caught.value.param == flag
    assert caught.value.hint
