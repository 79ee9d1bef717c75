from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from iflow_cli_proxy.state.retention import CautiousDate, Retention, month_of

DAY = 86_400.0


def test_what_is_older_than_its_days_may_go_and_0_keeps_everything() -> None:
    assert Retention(days=90).before(100 * DAY) == 10 * DAY
    assert Retention(days=0).before(100 * DAY) == -inf
    assert Retention(largest_bytes=0).most_bytes > 1 << 60


def test_a_month_begins_at_its_first_midnight_in_utc() -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    assert [month_of(now) for now in (first, first + 29.9 * DAY)] == [first, first]
    assert month_of(first - 1) == datetime(2026, 10, 1, tzinfo=UTC).timestamp()


def test_time_that_passes_is_believed() -> None:
    date = CautiousDate()
    assert [date.look(now, now - 1000) for now in (1000.0, 2000.0, 9000.0)] == [1000.0, 2000.0, 9000.0]


def test_a_jump_of_years_counts_as_a_day_at_each_look() -> None:
    date = CautiousDate()
    date.look(1000.0, 0.0)
    assert date.look(1000.0 + 3650 * DAY, 600.0) == 1600.0 + DAY
    assert date.look(2200.0, 1200.0) == 2200.0


def test_a_machine_that_slept_for_a_week_is_believed_after_a_week_of_looks() -> None:
    date = CautiousDate()
    date.look(0.0, 0.0)
    looks = [date.look(7 * DAY + number, float(number)) for number in range(1, 9)]
    assert looks[5] < 7 * DAY
    assert looks[-1] == 7 * DAY + 8
