"""One instant, many spellings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from math import inf

import pytest

from iflow_cli_proxy.core.instants import epoch, instant, rfc3339
from iflow_cli_proxy.core.jsonx import Json

WHEN = 1_760_172_800.0


@pytest.mark.parametrize(
    "value",
    [
        1_760_172_800_000,
        1_760_172_800,
        "1760172800000",
        " 1760172800 ",
        "1760172800.0",
        "2025-10-11T08:53:20Z",
        "2025-10-11T08:53:20.000000+00:00",
        "2025-10-11T16:53:20+08:00",
        "2025-10-11 08:53:20+00:00",
    ],
)
def test_every_spelling_is_the_same_instant(value: Json) -> None:
    assert instant(value) == WHEN


def test_a_date_without_a_zone_is_local_unless_one_is_given() -> None:
    local = datetime(2025, 10, 11, 8, 53).astimezone().timestamp()
    assert instant("2025-10-11 08:53") == local
    assert instant("2025-10-11 08:53", timezone(timedelta(hours=8))) == WHEN - 20 - 8 * 3600


@pytest.mark.parametrize(
    "value",
    [None, True, "", "soon", "2025-13-40T00:00:00Z", 0, -5, float("nan"), float("inf"), 1e30, [], {},
     "0001-01-01T00:00:00Z", "9" * 400],
)  # fmt: skip
def test_what_says_nothing_is_none(value: Json) -> None:
    assert instant(value) is None


def test_an_instant_is_written_in_utc_to_the_second() -> None:
    assert rfc3339(WHEN + 0.7) == "2025-10-11T08:53:20Z"
    assert instant(rfc3339(WHEN)) == datetime(2025, 10, 11, 8, 53, 20, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_772_445_600.0, "2026-03-02T10:00:00Z"),
        (1_772_445_600.25, "2026-03-02T10:00:00.250000Z"),
    ],
)
def test_an_instant_is_shown_in_utc_and_read_back(seconds: float, text: str) -> None:
    assert rfc3339(seconds, is_exact=True) == text
    assert epoch(datetime.fromisoformat(text)) == seconds


def test_any_instant_survives_to_the_microsecond_and_then_stays() -> None:
    for seconds in (1_772_445_600.123456789, 1_700_000_000.9999999, 4_000_000_000.1):
        once = epoch(datetime.fromisoformat(rfc3339(seconds, is_exact=True)))

        assert abs(once - seconds) < 1e-6
        assert epoch(datetime.fromisoformat(rfc3339(once, is_exact=True))) == once


@pytest.mark.parametrize("seconds", [-5.0, 1e12, 1e300, inf, -inf])
def test_what_no_calendar_holds_becomes_the_nearest_that_one_does(seconds: float) -> None:
    assert rfc3339(seconds, is_exact=True) in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def test_a_moment_without_a_zone_is_taken_for_utc_and_another_zone_is_respected() -> None:
    assert epoch(datetime(2026, 3, 2, 10)) == epoch(datetime(2026, 3, 2, 10, tzinfo=UTC))  # noqa: DTZ001
    assert epoch(datetime(2026, 3, 2, 18, tzinfo=timezone(timedelta(hours=8)))) == 1_772_445_600.0
