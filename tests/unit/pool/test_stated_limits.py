"""Rate limit headers as real upstreams send them."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.pool.stated_limits import StatedLimit, stated_limits


def test_openais_headers_state_requests_and_tokens_a_minute() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6ms",
    }  # fmt: skip
    assert list(stated_limits(headers)) == [
        StatedLimit(unit="requests", a_minute=60),
        StatedLimit(unit="tokens", a_minute=150_000),
    ]


def test_a_limit_by_the_day_under_the_same_name_is_no_limit_by_the_minute() -> None:
    headers = {
        "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-reset-requests": "2m59.56s",
    }  # fmt: skip
    assert list(stated_limits(headers)) == [StatedLimit(unit="requests")]


def test_a_bucket_that_refills_has_room_for_one_request_long_before_it_is_full() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60s",
    }  # fmt: skip
    (found,) = stated_limits(headers)
    assert found.closed_s == 1.0


def test_anthropics_absolute_resets_count_from_the_answers_own_date() -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "50000", "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-03-02T10:00:30Z", "date": "Mon, 02 Mar 2026 10:00:00 GMT",
    }  # fmt: skip
    assert list(stated_limits(headers)) == [StatedLimit(unit="tokens", a_minute=50_000, closed_s=30.0)]


def test_nameless_headers_close_until_their_reset_and_set_no_limit_by_the_minute() -> None:
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "8"}
    assert list(stated_limits(headers)) == [StatedLimit(unit="requests", closed_s=8.0)]


def test_nothing_is_closed_for_longer_than_a_minute() -> None:
    headers = {"ratelimit-remaining": "0", "ratelimit-reset": "86400"}
    assert [each.closed_s for each in stated_limits(headers)] == [60.0]


@pytest.mark.parametrize("reset", ["", "soon", "-5", "nan", "1e999", "9" * 400, "٣s", "2026-03-02T10:00:30Z", "1s1"])
def test_a_reset_that_says_nothing_clear_closes_nothing(reset: str) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    assert [each.closed_s for each in stated_limits(headers)] == [0.0]


@pytest.mark.parametrize("limit", ["", "many", "-1", "1.5", "100, 100;w=60", "٣", "9" * 400])
def test_a_limit_that_is_no_number_is_as_if_it_were_not_there(limit: str) -> None:
    assert list(stated_limits({"x-ratelimit-limit-requests": limit})) == []
