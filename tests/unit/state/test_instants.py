from datetime import UTC, datetime, timedelta, timezone
from math import inf

import pytest

from iflow_cli_proxy.state.instants import epoch, instant_text


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_772_445_600.0, "2026-03-02T10:00:00Z"),
        (1_772_445_600.25, "2026-03-02T10:00:00.250000Z"),
    ],
)
def test_an_instant_is_shown_in_utc_and_read_back(instant: float, text: str) -> None:
    assert instant_text(instant) == text
    assert epoch(datetime.fromisoformat(text)) == instant


def test_any_instant_survives_to_the_microsecond_and_then_stays() -> None:
    for instant in (1_772_445_600.123456789, 1_700_000_000.9999999, 4_000_000_000.1):
        once = epoch(datetime.fromisoformat(instant_text(instant)))

        assert abs(once - instant) < 1e-6
        assert epoch(datetime.fromisoformat(instant_text(once))) == once


@pytest.mark.parametrize("instant", [-5.0, 1e12, 1e300, inf, -inf])
def test_what_no_calendar_holds_becomes_the_nearest_that_one_does(instant: float) -> None:
    assert instant_text(instant) in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def test_a_moment_without_a_zone_is_taken_for_utc_and_another_zone_is_respected() -> None:
    assert epoch(datetime(2026, 3, 2, 10)) == epoch(datetime(2026, 3, 2, 10, tzinfo=UTC))  # noqa: DTZ001
    assert epoch(datetime(2026, 3, 2, 18, tzinfo=timezone(timedelta(hours=8)))) == 1_772_445_600.0
