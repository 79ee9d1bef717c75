"""One instant, many spellings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from iflow_cli_proxy.core.instants import instant, rfc3339
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
