from __future__ import annotations

from iflow_cli_proxy.core.clock import SystemClock
from tests.support.fake_clock import FakeClock


def test_the_system_clock_tells_the_time_of_day_and_never_runs_backwards() -> None:
    clock = SystemClock()
    assert clock.now() > 1_700_000_000
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_a_jump_of_the_fake_clock_does_not_touch_intervals() -> None:
    clock = FakeClock(100.0)
    clock.advance(5)
    clock.jump(-3600)
    assert clock.now() == 100.0 + 5 - 3600
    assert clock.monotonic() == 5
