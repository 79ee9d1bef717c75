from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from iflow_cli_proxy.server.background import Supervisor
from tests.support.virtual_time import run_in_virtual_time


async def never() -> None:
    await asyncio.Event().wait()


def test_work_that_fails_is_started_again_after_growing_pauses(caplog: pytest.LogCaptureFixture) -> None:
    started_at: list[float] = []

    async def work() -> None:
        started_at.append(asyncio.get_running_loop().time())
        raise RuntimeError("broken")

    async def scene() -> None:
        supervisor = Supervisor()
        supervisor.keep_running("worker", work)
        await asyncio.sleep(150)
        await supervisor.aclose()

    run_in_virtual_time(scene())

    pauses = [later - earlier for earlier, later in pairwise(started_at)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60])
    assert "worker failed" in caplog.text
    assert "broken" in caplog.text


def test_work_that_ran_well_for_long_is_started_again_soon() -> None:
    started_at: list[float] = []

    async def work() -> None:
        started_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(500 if len(started_at) == 4 else 0)
        raise RuntimeError("broken")

    async def scene() -> None:
        supervisor = Supervisor()
        supervisor.keep_running("worker", work)
        await asyncio.sleep(510)
        await supervisor.aclose()

    run_in_virtual_time(scene())

    assert started_at[4] - started_at[3] == pytest.approx(501)


async def test_work_that_ends_is_not_started_again() -> None:
    supervisor, runs = Supervisor(), []

    async def work() -> None:
        runs.append(1)

    supervisor.keep_running("worker", work)
    await asyncio.sleep(0.01)
    await supervisor.aclose()

    assert runs == [1]


async def test_closing_ends_everything_and_waits_for_it() -> None:
    supervisor, tidied = Supervisor(), []

    async def work() -> None:
        try:
            await never()
        finally:
            await asyncio.sleep(0)
            tidied.append(1)

    supervisor.keep_running("kept", work)
    supervisor.run_once("once", work())
    await asyncio.sleep(0)
    await supervisor.aclose()

    assert tidied == [1, 1]


async def test_nothing_starts_after_the_end() -> None:
    supervisor, runs = Supervisor(), []

    async def work() -> None:
        runs.append(1)

    await supervisor.aclose()
    supervisor.run_once("late", work())
    supervisor.keep_running("late", work)
    await asyncio.sleep(0)

    assert runs == []


@pytest.mark.parametrize(
    ("error", "level"), [(RuntimeError("bug"), logging.ERROR), (ConnectionResetError(), logging.DEBUG)]
)
async def test_a_failure_beside_everything_else_is_one_line(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor()

    async def work() -> None:
        raise error

    with caplog.at_level(logging.DEBUG, "iflow2api.background"):
        supervisor.run_once("ping", work())
        await asyncio.sleep(0.01)
    await supervisor.aclose()

    assert [record.levelno for record in caplog.records] == [level]
