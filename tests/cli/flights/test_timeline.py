from __future__ import annotations

from iflow_cli_proxy.cli.flights.timeline import bars
from tests.support.flights import attempt


def test_attempts_stand_on_one_line_of_time() -> None:
    drawn = bars(
        [
            attempt(started_s=0.0, headers_s=None, first_content_s=None, ended_s=2.0),
            attempt(started_s=2.0, headers_s=4.0, first_content_s=6.0, ended_s=10.0),
        ],
        10.0,
        20,
    )
    assert drawn == ["░░░░", "    ░░░░▒▒▒▒████████"]


def test_what_took_no_time_is_seen_all_the_same() -> None:
    drawn = bars([attempt(started_s=10.0, headers_s=10.0, first_content_s=10.0, ended_s=10.0)], 10.0, 20)
    assert drawn == [" " * 19 + "░"]


def test_an_attempt_that_never_ended_reaches_the_end() -> None:
    assert bars([attempt(started_s=0.0, headers_s=1.0, first_content_s=2.0, ended_s=None)], 8.0, 8) == ["░▒██████"]


def test_where_there_is_no_room_and_no_time_nothing_is_drawn() -> None:
    assert bars([attempt()], 1.0, 4) == []
    assert bars([attempt(started_s=0.0, ended_s=0.0)], 0.0, 40) == []
