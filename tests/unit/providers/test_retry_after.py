from __future__ import annotations

import pytest

from iflow_cli_proxy.providers.retry_after import retry_after_s

NOW = 1_760_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "18000"}, 18_000),
        ({"retry-after": "999999"}, 604_800),
        ({"retry-after": "Thu, 09 Oct 2025 08:54:20 GMT"}, 60),
        ({"retry-after": "Thu, 09 Oct 2025 08:00:00 GMT"}, 0),
        ({"retry-after": "Thu, 09 Oct 2025 08:55:20 GMT", "date": "Thu, 09 Oct 2025 08:55:00 GMT"}, 20),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "\u0667"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"x-ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": "1760000012"}, 12),
        ({"x-ratelimit-reset": "1760000012500"}, 12.5),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "about 3s"}, None),
        ({"x-ratelimit-reset": "2025-10-09"}, None),
    ],
)
def test_the_wait_is_read_from_whichever_header_there_is(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_an_allowance_that_is_not_used_up_does_not_count() -> None:
    headers = {
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-tokens": "6m",
        "x-ratelimit-remaining-tokens": "1200",
    }
    assert retry_after_s(headers, NOW) == 2
