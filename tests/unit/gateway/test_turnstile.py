from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import Busy, NoAccountAvailable, RateLimited, Revoked, Unreachable
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import AccountPool, Lease
from iflow_cli_proxy.pool.wish import Wish
from tests.support.seeds import for_each_seed
from tests.support.virtual_time import run_in_virtual_time


def account(number: int = 0, *, provider: str = "up", concurrency: int = 1) -> Account:
    return Account(id=f"{provider}{number}", provider=provider, label="x", concurrency=concurrency)


def turnstile(*accounts: Account, places: int = 100, timeout_s: float = 30.0) -> Turnstile:
    return Turnstile(AccountPool(accounts or (account(),)), now=now, places=places, timeout_s=timeout_s)


def now() -> float:
    return asyncio.get_running_loop().time()


def begin(work: Coroutine[Any, Any, Lease]) -> asyncio.Task[Lease]:
    return asyncio.get_running_loop().create_task(work)


async def tick(times: int = 3) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def in_flight(door: Turnstile) -> int:
    return sum(standing.in_flight for standing in door.pool.standings())


async def test_who_finds_room_goes_straight_in() -> None:
    door = turnstile(account(concurrency=2))

    first, second = await door.enter(Wish(provider="up")), await door.enter(Wish(provider="up"))

    assert (in_flight(door), door.waiting) == (2, 0)
    door.leave(first, Outcome())
    door.leave(second, Outcome())
    assert in_flight(door) == 0


async def test_waiters_are_let_in_in_their_order() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"))
    waiting = [begin(door.enter(Wish(provider="up"))) for _ in range(5)]
    await tick()
    assert door.waiting == 5

    order = []
    for _ in range(5):
        door.leave(held, Outcome())
        await tick()
        done = next(task for task in waiting if task.done() and task not in order)
        order.append(done)
        held = done.result()

    assert order == waiting
    assert door.waiting == 0


async def test_nobody_overtakes_those_who_wait() -> None:
    door = turnstile(account(concurrency=2))
    held = [await door.enter(Wish(provider="up")), await door.enter(Wish(provider="up"))]
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()
    door.leave(held[0], Outcome())
    late = begin(door.enter(Wish(provider="up")))
    await tick()

    assert waiter.done()
    assert not late.done()
    late.cancel()


async def test_room_is_not_withheld_because_of_a_waiter_who_was_just_let_in() -> None:
    door = turnstile(account(concurrency=2))
    first, second = await door.enter(Wish(provider="up")), await door.enter(Wish(provider="up"))
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()
    door.leave(first, Outcome())  # for the waiter, whose task has not run yet
    door.leave(second, Outcome())

    async with asyncio.timeout(0.2):
        await door.enter(Wish(provider="up"))
    assert waiter.done() or await waiter


async def test_room_is_not_withheld_because_of_a_waiter_who_just_gave_up() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"))
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()
    waiter.cancel()
    door.leave(held, Outcome())  # before the cancelled task has run

    async with asyncio.timeout(0.2):
        await door.enter(Wish(provider="up"))
    await asyncio.gather(waiter, return_exceptions=True)
    assert in_flight(door) == 1


async def test_a_lease_that_arrives_as_the_caller_gives_up_goes_to_the_next() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"))
    quitter, patient = begin(door.enter(Wish(provider="up"))), begin(door.enter(Wish(provider="up")))
    await tick()
    door.leave(held, Outcome())
    quitter.cancel()  # its lease is there, and it will never see it

    async with asyncio.timeout(0.2):
        await patient
    await asyncio.gather(quitter, return_exceptions=True)
    assert in_flight(door) == 1


async def test_one_provider_does_not_wait_for_another() -> None:
    door = turnstile(account(provider="busy"), account(provider="free"))
    held = await door.enter(Wish(provider="busy"))
    waiter = begin(door.enter(Wish(provider="busy")))
    await tick()

    free = await door.enter(Wish(provider="free"))
    door.leave(free, Outcome())
    await tick()
    assert not waiter.done()
    door.leave(held, Outcome())
    assert (await waiter).account.provider == "busy"


async def test_an_account_that_was_tried_is_not_leased_again() -> None:
    door = turnstile(account(0), account(1))

    assert (await door.enter(Wish(provider="up", tried=["up0"]))).account.id == "up1"
    with pytest.raises(NoAccountAvailable):
        await door.enter(Wish(provider="up", tried=["up0", "up1"]))


async def test_a_client_with_many_requests_keeps_no_other_waiting() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"), client="loud")
    loud = [begin(door.enter(Wish(provider="up"), client="loud")) for _ in range(5)]
    await tick()
    quiet = begin(door.enter(Wish(provider="up"), client="quiet"))
    await tick()
    door.leave(held, Outcome())
    await tick()
    assert [task.done() for task in loud] == [True, False, False, False, False]
    door.leave(loud[0].result(), Outcome())
    await tick()
    assert quiet.done(), "its turn comes before the second of the loud one"
    door.leave(quiet.result(), Outcome())
    await tick()
    assert sum(task.done() for task in loud) == 2
    for task in loud:
        task.cancel()


def test_a_short_rest_is_waited_for() -> None:
    async def scenario() -> float:
        door = turnstile()
        held = await door.enter(Wish(provider="up"))
        door.leave(held, Outcome(error=RateLimited("slower", retry_after_s=1.0)))
        began = now()
        await door.enter(Wish(provider="up"))
        return now() - began

    assert 1.0 <= run_in_virtual_time(scenario()) <= 1.2


def test_f61_a_long_rest_is_told_and_not_waited_for() -> None:
    async def scenario() -> tuple[float, float | None]:
        door = turnstile(account(0), account(1))
        for retry_after_s in (600.0, 60.0):
            held = await door.enter(Wish(provider="up"))
            door.leave(held, Outcome(error=RateLimited("slower", retry_after_s=retry_after_s)))
        began = now()
        with pytest.raises(RateLimited) as caught:
            await door.enter(Wish(provider="up"))
        return now() - began, caught.value.retry_after_s

    took_s, retry_after_s = run_in_virtual_time(scenario())
    assert took_s == 0
    assert retry_after_s is not None
    assert 60.0 <= retry_after_s <= 66.1


def test_f61_who_waits_already_is_told_of_a_long_rest_too() -> None:
    async def scenario() -> tuple[float, list[object]]:
        door = turnstile()
        held = await door.enter(Wish(provider="up"))
        waiting = [begin(door.enter(Wish(provider="up"), client=client)) for client in ("a", "a", "b")]
        await asyncio.sleep(1.0)
        began = now()
        door.leave(held, Outcome(error=RateLimited("slower", retry_after_s=600.0)))
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert (door.waiting, in_flight(door)) == (0, 0)
        return now() - began, [type(answer) for answer in answers]

    assert run_in_virtual_time(scenario()) == (0.0, [RateLimited] * 3)


async def test_who_waits_for_an_account_that_is_taken_away_is_told_at_once() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"))
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()
    door.pool.replace([])
    door.let_in()

    with pytest.raises(NoAccountAvailable):
        await waiter
    door.leave(held, Outcome())


async def test_who_gives_up_as_it_is_sent_away_leaves_nothing_behind() -> None:
    door = turnstile()
    held = await door.enter(Wish(provider="up"))
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()
    door.leave(held, Outcome(error=RateLimited("slower", retry_after_s=600.0)))
    waiter.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert (door.waiting, in_flight(door)) == (0, 0)


def test_r3_a_trial_is_waited_for_unless_there_is_somewhere_else_to_go() -> None:
    async def scenario() -> None:
        door = turnstile(account(concurrency=9))
        held = await door.enter(Wish(provider="up"))
        door.leave(held, Outcome(error=RateLimited("slower", retry_after_s=1.0)))
        await asyncio.sleep(1.5)
        trial = await door.enter(Wish(provider="up"))
        assert trial.is_trial
        patient = begin(door.enter(Wish(provider="up")))
        await tick()
        with pytest.raises(NoAccountAvailable):
            await door.enter(Wish(provider="up"), passes_trials_by=True)
        assert not patient.done()

        door.vouch(trial)
        await tick()
        assert patient.done()
        for lease in (trial, await patient):
            door.leave(lease, Outcome(is_success=True))

    run_in_virtual_time(scenario())


async def test_f38_accounts_that_are_forbidden_what_is_asked_for_are_no_matter_of_room() -> None:
    door = turnstile()
    door.leave(await door.enter(Wish(provider="up")), Outcome(error=Revoked("not yours")))

    with pytest.raises(Revoked) as caught:
        await door.enter(Wish(provider="up"))
    assert "not yours" in caught.value.detail
    assert caught.value.hint


async def test_more_room_lets_in_as_many_as_it_holds() -> None:
    door = turnstile()
    await door.enter(Wish(provider="up"))
    waiting = [begin(door.enter(Wish(provider="up"))) for _ in range(3)]
    await tick()
    door.pool.replace([account(concurrency=3)])
    door.let_in()
    await tick()

    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()


async def test_the_queue_has_an_end() -> None:
    door = turnstile(places=1)
    await door.enter(Wish(provider="up"))
    waiter = begin(door.enter(Wish(provider="up")))
    await tick()

    with pytest.raises(Busy) as caught:
        await door.enter(Wish(provider="up"))
    assert caught.value.retry_after_s
    waiter.cancel()
    await tick()
    assert door.waiting == 0


async def test_a_provider_without_accounts_is_not_waited_for() -> None:
    with pytest.raises(NoAccountAvailable) as caught:
        await turnstile().enter(Wish(provider="other"))
    assert caught.value.hint


@pytest.mark.parametrize(("patience_s", "waited_s"), [(float("inf"), 30.0), (4.0, 4.0), (99.0, 30.0)])
def test_patience_has_an_end(patience_s: float, waited_s: float) -> None:
    async def scenario() -> float:
        door = turnstile()
        await door.enter(Wish(provider="up"))
        began = asyncio.get_running_loop().time()
        with pytest.raises(Busy):
            await door.enter(Wish(provider="up"), patience_s=patience_s)
        assert door.waiting == 0
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(waited_s)


def test_no_lease_is_lost_or_doubled_whoever_gives_up_when() -> None:
    """Random callers, holding times, cancellations and reloads: in the end every slot is free and nobody is stuck."""

    def law(rng: random.Random) -> None:
        concurrency = rng.randrange(1, 4)
        door = turnstile(account(0, concurrency=concurrency), account(1, concurrency=1), timeout_s=5.0)
        most = 0

        async def call() -> None:
            nonlocal most
            await asyncio.sleep(rng.random())
            try:
                lease = await door.enter(Wish(provider="up"), patience_s=rng.choice((0.0, 0.05, 9.0)))
            except Busy:
                return
            try:
                most = max(most, in_flight(door))
                await asyncio.sleep(rng.choice((0.0, 0.01, 0.2)))
            finally:
                door.leave(lease, Outcome())

        async def scenario() -> None:
            tasks = [asyncio.get_running_loop().create_task(call()) for _ in range(rng.randrange(5, 40))]
            while not all(task.done() for task in tasks):
                await asyncio.sleep(rng.choice((0.0, 0.0, 0.01, 0.05)))
                victim = rng.choice(tasks)
                if rng.random() < 0.3:
                    victim.cancel()
                    if rng.random() < 0.3:
                        door.let_in()
            await asyncio.gather(*tasks, return_exceptions=True)

        run_in_virtual_time(scenario())
        assert in_flight(door) == 0
        assert door.waiting == 0
        assert most <= concurrency + 1

    for_each_seed(150, law)


async def test_f3_a_host_that_holds_no_connection_is_told_as_such_with_the_time_of_the_next_one() -> None:
    door = turnstile(account(concurrency=0))
    for _ in range(5):
        door.leave(await door.enter(Wish(provider="up")), Outcome(error=Unreachable("refused")))

    with pytest.raises(Unreachable, match="could not be reached") as caught:
        await door.enter(Wish(provider="up"))

    assert caught.value.retry_after_s == pytest.approx(5.0, rel=0.3)
