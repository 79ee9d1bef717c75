"""What a server has done lately, counted as exchanges end."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import CLIENT_GONE, Exchange
from iflow_cli_proxy.server.tally import WINDOW_S, Tally
from tests.support.fake_clock import FakeClock


def ended(**fields: Any) -> Exchange:
    return Exchange(**{"request_id": "req_1", "protocol": "openai_chat", "started_at": 0.0, "status": 200, **fields})


def test_a_server_that_has_just_begun_has_done_nothing() -> None:
    minute = Tally(FakeClock()).minute()

    assert (minute.requests, minute.errors, minute.tokens, minute.error_rate) == (0, 0, 0, 0.0)
    assert len(minute.seconds) == WINDOW_S
    assert minute.first_byte_s(0.5, 0.95) == [None, None]
    assert minute.span_s == 1.0, "no rate is divided by nothing"


def test_each_second_is_counted_apart_and_the_oldest_comes_first() -> None:
    clock = FakeClock()
    tally = Tally(clock)
    tally.note(ended(usage=Usage(prompt=1, completion=2)))
    clock.advance(2.0)
    tally.note(ended(usage=Usage(prompt=10, completion=20), usage_beside=Usage(prompt=5)))
    tally.note(ended())

    seconds = tally.minute().seconds
    assert [(one.requests, one.tokens) for one in seconds[-3:]] == [(1, 3), (0, 0), (2, 35)]
    assert not any(one.requests for one in seconds[:-3])


def test_a_minute_forgets_and_totals_do_not() -> None:
    clock = FakeClock()
    tally = Tally(clock)
    tally.note(ended(error_kind="overloaded", status=503))
    clock.advance(WINDOW_S - 1)
    assert tally.minute().errors == 1
    clock.advance(1)
    assert tally.minute().requests == 0

    tally.note(ended())
    assert (tally.requests, tally.errors) == (2, 1)
    assert len(tally._seconds) == 1, "what no minute holds is let go"


def test_memory_is_bounded_whatever_happens() -> None:
    clock = FakeClock()
    tally = Tally(clock)
    for number in range(1_000):
        for _ in range(70):
            tally.note(ended(first_byte_s=float(number)))
        clock.advance(1.0)

    assert len(tally._seconds) <= WINDOW_S
    assert max(len(one.first_byte_s) for one in tally._seconds.values()) <= 64
    assert tally.requests == 70_000


def test_errors_are_told_by_kind_the_most_frequent_first() -> None:
    tally = Tally(FakeClock())
    for kind in ("timed_out", "overloaded", "overloaded"):
        tally.note(ended(error_kind=kind, status=502))
    tally.note(ended(status=404))
    tally.note(ended(error_kind="upstream_cut"))  # in the middle of a stream, whose status was 200

    minute = tally.minute()
    assert next(iter(minute.errors_by_kind)) == "overloaded"
    assert minute.errors_by_kind == {"overloaded": 2, "timed_out": 1, "http_404": 1, "upstream_cut": 1}
    assert (minute.errors, minute.error_rate) == (5, 1.0)


def test_a_client_that_left_is_neither_good_nor_bad() -> None:
    tally = Tally(FakeClock())
    for exchange in (ended(error_kind="overloaded", status=503), ended(), ended(), ended()):
        tally.note(exchange)
    left = ended(status=0)
    left.leave()
    tally.note(left)

    minute = tally.minute()
    assert left.status == CLIENT_GONE
    assert (minute.requests, minute.errors, minute.errors_by_kind) == (5, 1, {"overloaded": 1})
    assert minute.error_rate == pytest.approx(0.25)


def test_how_long_answers_took_to_begin() -> None:
    tally = Tally(FakeClock())
    for hundredth in range(100, 0, -1):
        tally.note(ended(first_byte_s=hundredth / 100))
    tally.note(ended(status=500, error_kind="internal"))
    assert tally.minute().first_byte_s(0.5)[0] is not None

    few = Tally(FakeClock())
    for time in (0.4, 0.1, 0.2, 0.3):
        few.note(ended(first_byte_s=time))
    assert few.minute().first_byte_s(0.5, 0.95) == [0.3, 0.4]


def test_a_young_server_is_not_measured_by_a_whole_minute() -> None:
    clock = FakeClock()
    tally = Tally(clock)
    clock.advance(10)
    assert (tally.minute().span_s, tally.uptime_s) == (10.0, 10.0)
    clock.advance(1_000)
    assert tally.minute().span_s == 60.0


def test_what_nobody_counted_is_estimated_as_in_the_ledger() -> None:
    tally = Tally(FakeClock())
    tally.note(ended(usage=Usage(completion=10, is_estimated=True), bytes_in=400))
    assert tally.tokens == 110
