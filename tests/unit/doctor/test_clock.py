from __future__ import annotations

import pytest

from iflow_cli_proxy.doctor.clock import date_of, judge_against, judge_alone
from iflow_cli_proxy.doctor.finding import Status
from tests.support.machines import NOW


@pytest.mark.parametrize("now", [0.0, 1_500_000_000.0, 5_000_000_000.0])
def test_a_year_that_cannot_be_is_a_failure(now: float) -> None:
    assert judge_alone(now).status is Status.FAILURE


def test_a_plausible_time_is_fine() -> None:
    assert judge_alone(NOW, [NOW - 5, NOW + 5]).status is Status.OK


def test_accounts_saved_in_the_future_show_that_the_clock_was_set_back() -> None:
    found = judge_alone(NOW, [NOW + 3600])

    assert found.status is Status.WARNING
    assert "1 h from now" in found.text


@pytest.mark.parametrize(
    ("offset_s", "status", "words"),
    [
        (0.0, Status.OK, "agrees"),
        (-59.0, Status.OK, "agrees"),
        (120.0, Status.WARNING, "2 min ahead of"),
        (3600.0, Status.FAILURE, "1 h ahead of"),
        (-3600.0, Status.FAILURE, "1 h behind"),
    ],
)
def test_f57_a_clock_that_is_wrong_is_told_with_how_much(offset_s: float, status: Status, words: str) -> None:
    found = judge_against(offset_s)

    assert (found.status, bool(found.action)) == (status, status is not Status.OK)
    assert words in found.text


def test_the_date_of_an_answer_is_read_and_nonsense_is_none() -> None:
    assert date_of({"date": "Fri, 20 Nov 2026 08:00:00 GMT"}) == 1_795_161_600.0
    assert date_of({"date": "tomorrow"}) is None
    assert date_of({}) is None
