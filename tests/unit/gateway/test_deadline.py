from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from iflow_cli_proxy.core.errors import TimedOut
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from tests.support.virtual_time import run_in_virtual_time

LIMITS = Limits(first_byte_s=120, idle_s=60, content_s=180, total_s=1800)
FOREVER = 1e9


def now() -> float:
    return asyncio.get_running_loop().time()


async def expiry(deadline: Deadline, wait: Callable[[], Awaitable[object]]) -> tuple[str, float]:
    """Which limit ended `wait`, and how long that took."""
    began = now()
    with pytest.raises(TimedOut) as caught:
        await wait()
    deadline.close()
    return caught.value.limit, round(now() - began, 3)


def test_a_head_that_never_comes_ends_at_first_byte() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("first_byte", 120)


def test_first_byte_counts_over_several_waits() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)

        async def wait() -> None:
            while True:
                with deadline:
                    await asyncio.sleep(50)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("first_byte", 120)


def test_idle_is_exact_whenever_the_wait_began() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()
        for _ in range(7):
            with deadline:
                await asyncio.sleep(13.7)
            deadline.saw_content()

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("idle", 60)


def test_pings_keep_idle_quiet_but_not_content() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()

        async def wait() -> None:
            while True:
                with deadline:
                    await asyncio.sleep(15)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("content", 180)


def test_content_moves_the_content_limit() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()
        for _ in range(20):
            with deadline:
                await asyncio.sleep(59)
            deadline.saw_content()

        async def wait() -> None:
            while True:
                with deadline:
                    await asyncio.sleep(59)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("content", 180)


def test_a_slow_client_does_not_use_up_the_upstreams_time() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()
        for _ in range(3):
            with deadline:
                await asyncio.sleep(1)
            await asyncio.sleep(400)

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("idle", 60)


def test_total_ends_even_a_lively_stream() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()

        async def wait() -> None:
            while True:
                with deadline:
                    await asyncio.sleep(7)
                deadline.saw_content()

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("total", 1800)


def test_total_is_checked_before_the_next_wait_begins() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)
        deadline.saw_head()
        await asyncio.sleep(1801)
        assert deadline.remaining_s() == -1

        async def wait() -> None:
            with deadline:
                raise AssertionError("must not begin")

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("total", 0)


def test_a_new_attempt_gets_a_new_first_byte_but_the_old_total() -> None:
    async def scenario() -> list[tuple[str, float]]:
        seen = []
        deadline = Deadline(Limits(first_byte_s=120, total_s=200))

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        for _ in range(2):
            seen.append(await expiry(deadline, wait))
            deadline.restart()
        deadline.close()
        return seen

    assert run_in_virtual_time(scenario()) == [("first_byte", 120), ("total", 80)]


def test_a_cancellation_from_outside_stays_a_cancellation() -> None:
    async def scenario() -> None:
        deadline = Deadline(LIMITS)

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        deadline.close()

    run_in_virtual_time(scenario())


def test_a_cancellation_in_the_moment_of_expiry_wins() -> None:
    async def scenario() -> None:
        deadline = Deadline(LIMITS)

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(120, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        deadline.close()

    run_in_virtual_time(scenario())


def test_an_expiry_leaves_the_task_uncancelled() -> None:
    async def scenario() -> None:
        deadline = Deadline(LIMITS)

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        await expiry(deadline, wait)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(5)

    run_in_virtual_time(scenario())


def test_another_error_in_the_moment_of_expiry_is_kept_and_the_clock_goes_on() -> None:
    async def scenario() -> tuple[str, float]:
        deadline = Deadline(LIMITS)

        async def fail_when_cancelled() -> None:
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                raise ConnectionResetError from None

        with pytest.raises(ConnectionResetError), deadline:
            await fail_when_cancelled()
        deadline.saw_head()

        async def wait() -> None:
            with deadline:
                await asyncio.sleep(FOREVER)

        return await expiry(deadline, wait)

    assert run_in_virtual_time(scenario()) == ("idle", 60)


def test_a_closed_deadline_leaves_no_timer_behind() -> None:
    async def scenario() -> None:
        deadline = Deadline(LIMITS)
        with deadline:
            await asyncio.sleep(1)
        deadline.close()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run_in_virtual_time(scenario())


def test_the_error_names_the_setting_to_change() -> None:
    error = TimedOut("first_byte", 120)
    assert "first byte limit of 120 s" in error.message
    assert "upstream.first_byte_timeout_s" in error.hint


def test_before_an_upstream_is_asked_only_the_total_holds() -> None:
    async def scenario() -> float:
        deadline = Deadline(Limits(first_byte_s=1, idle_s=1, content_s=1, total_s=8, total_name="x-request-timeout"))
        began = asyncio.get_running_loop().time()
        try:
            async with deadline.within_total():
                await asyncio.sleep(3)
            with pytest.raises(TimedOut, match="x-request-timeout"):
                async with deadline.within_total():
                    await asyncio.sleep(100)
            return asyncio.get_running_loop().time() - began
        finally:
            deadline.close()

    assert run_in_virtual_time(scenario()) == pytest.approx(8)


async def test_a_timeout_of_something_else_stays_what_it_is() -> None:
    deadline = Deadline(Limits())
    try:
        with pytest.raises(TimeoutError, match="theirs"):
            async with deadline.within_total():
                raise TimeoutError("theirs")
    finally:
        deadline.close()
