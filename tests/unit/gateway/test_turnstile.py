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
            await door.enter(Wish(provider="up"), has_elsewhere=True)
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


# --- a minute that is nearly used up ------------------------------------------------------------------------------


def paced(number: int = 0) -> Account:
    return Account(id=f"up{number}", provider="up", label="x", tpm=60_000)


async def _small_requests(door: Turnstile, seconds: int) -> list[float]:
    """One a second, so that a minute never has room for a large one; how long each waited."""
    waited: list[float] = []

    async def one() -> None:
        began = now()
        lease = await door.enter(Wish(provider="up", model="m", tokens=500), client="small")
        waited.append(now() - began)
        await asyncio.sleep(0.5)
        door.leave(lease, Outcome(is_success=True, tokens=500))

    async with asyncio.TaskGroup() as group:
        for _ in range(seconds):
            group.create_task(one())
            await asyncio.sleep(1.0)
    return waited


def test_r8_a_large_request_is_not_overtaken_by_small_ones_for_ever() -> None:
    async def scenario() -> tuple[float, list[float]]:
        door = turnstile(paced())
        others = asyncio.get_running_loop().create_task(_small_requests(door, 150))
        await asyncio.sleep(90.0)
        began = now()
        large = await door.enter(Wish(provider="up", model="m", tokens=35_000), client="large")
        took_s = now() - began
        door.leave(large, Outcome(is_success=True, tokens=35_000))
        waited = await others
        assert (door.waiting, in_flight(door), door._kept) == (0, 0, set())
        return took_s, waited

    took_s, waited = run_in_virtual_time(scenario())
    assert 0.0 < took_s < 25.0
    assert len(waited) == 150
    assert max(waited) < 30.0


def test_what_was_kept_for_one_who_gives_up_goes_to_the_next() -> None:
    async def scenario() -> float:
        door = turnstile(paced())
        door.leave(await door.enter(Wish(provider="up", tokens=50_000)), Outcome(is_success=True, tokens=50_000))
        await asyncio.sleep(40.0)
        large = begin(door.enter(Wish(provider="up", tokens=20_000), client="large"))
        await tick()
        assert not door.has_room(Wish(provider="up", tokens=100)), "it belongs to who waits"
        small = begin(door.enter(Wish(provider="up", tokens=100), client="small"))
        await tick()
        assert not small.done()
        large.cancel()
        await tick()
        assert small.done()
        return now()

    run_in_virtual_time(scenario())


def test_an_account_is_kept_for_the_model_that_waits_where_its_pace_is_for_that_model() -> None:
    async def scenario() -> None:
        door = turnstile(account(concurrency=0))
        lease = await door.enter(Wish(provider="up", model="m"))
        door.leave(lease, Outcome(is_success=True, headers={"x-ratelimit-limit-tokens": "1000"}))
        door.leave(await door.enter(Wish(provider="up", model="m", tokens=900)), Outcome())
        await asyncio.sleep(40.0)
        large = begin(door.enter(Wish(provider="up", model="m", tokens=500)))
        await tick()
        assert not door.has_room(Wish(provider="up", model="m", tokens=10))
        assert door.has_room(Wish(provider="up", model="n", tokens=10))
        await large

    run_in_virtual_time(scenario())


def test_who_has_somewhere_else_to_go_does_not_wait_for_a_minute_to_pass() -> None:
    async def scenario() -> None:
        door = turnstile(paced())
        door.leave(await door.enter(Wish(provider="up", tokens=60_000)), Outcome())
        await asyncio.sleep(50.0)
        with pytest.raises(RateLimited):
            await door.enter(Wish(provider="up", tokens=60_000), has_elsewhere=True)
        began = now()
        await door.enter(Wish(provider="up", tokens=60_000))
        assert now() - began == pytest.approx(10.0)

    run_in_virtual_time(scenario())


def test_a_minute_that_passes_after_the_queue_has_given_up_is_told_and_not_waited_for() -> None:
    async def scenario() -> None:
        door = turnstile(paced())
        door.leave(await door.enter(Wish(provider="up", tokens=60_000)), Outcome())
        began = now()
        with pytest.raises(RateLimited) as caught:
            await door.enter(Wish(provider="up", tokens=60_000))
        assert (now() - began, caught.value.retry_after_s) == (0.0, 60.0)

    run_in_virtual_time(scenario())


def test_f61_an_account_that_rests_is_not_waited_for_because_its_minute_is_used_up_too() -> None:
    async def scenario() -> None:
        door = turnstile(Account(id="up0", provider="up", label="x", rpm=1))
        refused = Outcome(error=RateLimited("slow", retry_after_s=50.0))
        door.leave(await door.enter(Wish(provider="up")), refused)
        await asyncio.sleep(35.0)
        began = now()
        with pytest.raises(RateLimited) as caught:
            await door.enter(Wish(provider="up"))
        assert (now() - began, caught.value.retry_after_s) == (0.0, 25.0)

    run_in_virtual_time(scenario())


def test_f61_a_minute_is_not_waited_for_on_an_account_that_has_yet_to_be_tried_again() -> None:
    async def scenario() -> None:
        door = turnstile(Account(id="up0", provider="up", label="x", rpm=1))
        refused = Outcome(error=RateLimited("slow", retry_after_s=10.0))
        door.leave(await door.enter(Wish(provider="up")), refused)
        await asyncio.sleep(35.0)
        began = now()
        with pytest.raises(RateLimited):
            await door.enter(Wish(provider="up"))
        assert now() == began

    run_in_virtual_time(scenario())


# --- a full queue -------------------------------------------------------------------------------------------------


async def test_r8_a_client_that_fills_the_queue_keeps_no_other_out() -> None:
    door = turnstile(places=5)
    held = await door.enter(Wish(provider="up"), client="greedy")
    greedy = [begin(door.enter(Wish(provider="up"), client="greedy")) for _ in range(5)]
    await tick()
    modest = [begin(door.enter(Wish(provider="up"), client="modest")) for _ in range(3)]
    await tick()

    assert [task.done() for task in greedy] == [False, False, False, True, True], "those that came last"
    assert isinstance(greedy[4].exception(), Busy)
    assert [task.done() for task in modest] == [False, False, True], "no more than the other has"
    assert door.waiting == 5
    door.leave(held, Outcome())
    for task in (*greedy, *modest):
        task.cancel()
    await asyncio.gather(*greedy, *modest, return_exceptions=True)
    assert door.waiting == 0


def test_how_long_to_stay_away_is_told_by_who_waits() -> None:
    async def scenario() -> list[float | None]:
        door = turnstile(places=1, timeout_s=30.0)
        await door.enter(Wish(provider="up"))
        waiter = begin(door.enter(Wish(provider="up")))
        told = []
        for _ in range(3):
            await asyncio.sleep(9.0)
            with pytest.raises(Busy) as caught:
                await door.enter(Wish(provider="up"))
            told.append(caught.value.retry_after_s)
        waiter.cancel()
        return told

    assert run_in_virtual_time(scenario()) == [10.0, 19.0, 28.0]
