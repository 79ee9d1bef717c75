from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.signin.holding import held
from tests.support.patience import until
from tests.support.places import FakePlace
from tests.support.saved_accounts import saved_account


class SlowPlace(FakePlace):
    """Its lock is had only once the test lets go."""

    def __init__(self) -> None:
        super().__init__(saved_account())
        self.is_waiting = threading.Event()
        self.may_have_it = threading.Event()

    def lock(self) -> AbstractContextManager[None]:
        self.is_waiting.set()
        assert self.may_have_it.wait(5)
        return super().lock()


async def test_reading_and_writing_happen_under_the_lock_and_not_on_the_loop() -> None:
    place = FakePlace(saved_account())

    async with held(place) as inside:
        assert place.taken.locked()
        assert await inside.read() == saved_account()
        await inside.write(saved_account(label="new"))

    assert not place.taken.locked()
    assert place.account == saved_account(label="new")
    assert threading.get_ident() not in place.on_thread
    assert len(place.on_thread) == 1


async def test_two_holders_take_turns() -> None:
    place = FakePlace(saved_account())
    inside: list[int] = []

    async def hold(number: int) -> None:
        async with held(place):
            inside.append(number)
            await asyncio.sleep(0.01)
            inside.append(number)

    await asyncio.gather(hold(1), hold(2))

    assert inside in ([1, 1, 2, 2], [2, 2, 1, 1])


async def test_an_error_inside_frees_the_lock() -> None:
    place = FakePlace(saved_account())

    with pytest.raises(ZeroDivisionError):
        async with held(place):
            raise ZeroDivisionError

    assert not place.taken.locked()


async def test_a_lock_that_cannot_be_had_is_a_state_error() -> None:
    place = FakePlace(saved_account())
    place.lock_error = StateError("taken")

    with pytest.raises(StateError, match="taken"):
        async with held(place):
            raise AssertionError("nobody gets here")


async def test_who_is_cancelled_while_waiting_leaves_no_lock_behind_and_does_not_wait_for_it() -> None:
    place = SlowPlace()

    async def hold() -> None:
        async with held(place):
            raise AssertionError("nobody gets here")

    holder = asyncio.ensure_future(hold())
    await until(place.is_waiting.is_set)
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    place.may_have_it.set()

    async with asyncio.timeout(5), held(place):
        pass
    assert not place.taken.locked()


async def test_who_is_cancelled_inside_frees_the_lock() -> None:
    place = FakePlace(saved_account())

    async def hold() -> None:
        async with held(place):
            await asyncio.Event().wait()

    holder = asyncio.ensure_future(hold())
    await until(place.taken.locked)
    holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder

    assert not place.taken.locked()


async def test_a_write_that_was_begun_is_finished_before_the_lock_is_free() -> None:
    class SlowDisk(FakePlace):
        is_writing = threading.Event()
        may_write = threading.Event()

        def write(self, account) -> None:  # type: ignore[no-untyped-def]
            self.is_writing.set()
            assert self.may_write.wait(5)
            super().write(account)

    place = SlowDisk(saved_account())

    async def write() -> None:
        async with held(place) as inside:
            await inside.write(saved_account(label="new"))

    writer = asyncio.ensure_future(write())
    await until(place.is_writing.is_set)
    writer.cancel()
    place.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await writer

    assert place.account == saved_account(label="new")
    assert not place.taken.locked()


async def test_many_who_wait_do_not_use_up_the_threads_that_everybody_shares() -> None:
    places = [SlowPlace() for _ in range(40)]

    async def hold(place: SlowPlace) -> None:
        async with held(place):
            pass

    holders = [asyncio.ensure_future(hold(place)) for place in places]
    await until(lambda: all(place.is_waiting.is_set() for place in places))
    async with asyncio.timeout(2):
        assert await asyncio.to_thread(lambda: 1) == 1
    for place in places:
        place.may_have_it.set()
    await asyncio.gather(*holders)
