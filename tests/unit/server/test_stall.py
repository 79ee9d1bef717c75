"""When a client counts as not reading. That real ones are cut off is in tests/integration/test_slow_clients.py."""

from __future__ import annotations

import asyncio

from iflow_cli_proxy.server.stall import StallWatch
from tests.support.virtual_time import run_in_virtual_time

LIMIT_S = 60.0


class Pipe(asyncio.WriteTransport):
    """Holds so many bytes; whether it was cut off, and when."""

    def __init__(self, unsent: int) -> None:
        super().__init__()
        self.unsent = unsent
        self.aborted_at: float | None = None

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted_at = asyncio.get_running_loop().time()


def watched(pipe: Pipe, *changes: tuple[float, int]) -> float | None:
    """Seconds until the cut, None when there was none; `changes` are unsent bytes at some second."""

    async def scene() -> float | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        StallWatch(loop, lambda: LIMIT_S).begin(pipe)
        for at, unsent in changes:
            await asyncio.sleep(began + at - loop.time())
            pipe.unsent = unsent
        await asyncio.sleep(10 * LIMIT_S)
        return None if pipe.aborted_at is None else pipe.aborted_at - began

    return run_in_virtual_time(scene())


def test_a_client_that_takes_nothing_is_cut_off_at_the_limit() -> None:
    assert watched(Pipe(1)) == LIMIT_S


def test_any_progress_starts_the_clock_again() -> None:
    assert watched(Pipe(1000), (50, 999), (100, 998)) == 105 + LIMIT_S


def test_once_everything_is_taken_nobody_looks_any_more() -> None:
    assert watched(Pipe(1000), (30, 0), (50, 1000)) is None


def test_an_ended_watch_cuts_nobody_off_and_may_begin_again() -> None:
    async def scene() -> tuple[float | None, bool]:
        pipe, watch = Pipe(1), StallWatch(asyncio.get_running_loop(), lambda: LIMIT_S)
        watch.begin(pipe)
        watch.end()
        watch.end()
        await asyncio.sleep(2 * LIMIT_S)
        before = pipe.aborted_at
        watch.begin(pipe)
        watch.begin(pipe)
        await asyncio.sleep(2 * LIMIT_S)
        return before, pipe.aborted_at is not None

    assert run_in_virtual_time(scene()) == (None, True)
