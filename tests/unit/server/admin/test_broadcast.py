from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.admin.broadcast import Broadcast
from iflow_cli_proxy.server.state import ServerState
from tests.support.fake_clock import FakeClock
from tests.support.shell import shell_state


def clock_of(state: ServerState) -> FakeClock:
    assert isinstance(state.clock, FakeClock)
    return state.clock


def test_it_is_made_once_for_all_who_ask_in_a_beat() -> None:
    state = shell_state()
    clock, broadcast = clock_of(state), Broadcast(state)

    first = broadcast.text(1.0)
    clock.advance(0.4)
    assert broadcast.text(1.0) is first
    clock.advance(0.1)
    second = broadcast.text(1.0)

    assert second is not first
    assert jsonx.decode(second)["type"] == "snapshot"
    assert jsonx.decode(second)["at"] != jsonx.decode(first)["at"]


def test_all_pages_wait_for_the_same_moment() -> None:
    state = shell_state()
    clock, broadcast = clock_of(state), Broadcast(state)
    beat = clock.monotonic() + broadcast.until_next_s(1.0)
    clock.advance(0.3)

    assert clock.monotonic() + broadcast.until_next_s(1.0) == pytest.approx(beat)
