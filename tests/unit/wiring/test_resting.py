"""Long rests outlive a restart, and are cleared everywhere when they are over or somebody says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import Failing, GatewayError, QuotaExhausted, RateLimited, StateError
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Closed, Lease
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, enabled
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.wiring.resting import LONG_S
from iflow_cli_proxy.wiring.services import Services
from iflow_cli_proxy.wiring.watching import AccountWatch
from tests.support.fake_clock import FakeClock
from tests.support.wiring import keep, on_disk, qwen_account, services, store

HOUR_S = 3600.0


class Process:
    """One gateway on a home; several may share a clock and a home."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.home, self.clock = home, clock
        self.services: Services = services("", home, clock=clock)
        self.watch = AccountWatch(self.services)

    def take(self, model: str = "m") -> Lease | Closed:
        return self.services.pool.take(Wish(provider="qwen", model=model), self.clock.monotonic())

    def serves(self, model: str = "m") -> bool:
        found = self.take(model)
        if isinstance(found, Lease):
            self.services.turnstile.leave(found, Outcome())
        return isinstance(found, Lease)

    def fails(self, error: GatewayError, model: str = "m") -> None:
        lease = self.take(model)
        assert isinstance(lease, Lease)
        self.services.turnstile.leave(lease, Outcome(error=error))

    def rest(self) -> Rest:
        [(_, rest)] = self.services.pool.rests(self.clock.monotonic())
        return rest

    @property
    def saved(self) -> SavedAccount:
        return on_disk(self.home, "ada")


StartOne = Callable[[], Process]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartOne]:
    """Each call starts one more process on the same home."""
    keep(tmp_path, qwen_account(tokens=replace(qwen_account().tokens, expires_at=None)))  # type: ignore[type-var]
    clock, begun = FakeClock(), list[Process]()

    def one() -> Process:
        begun.append(Process(tmp_path, clock))
        return begun[-1]

    yield one
    for process in begun:
        await process.services.aclose()


def used_up(for_s: float = HOUR_S) -> QuotaExhausted:
    return QuotaExhausted("The day's requests are used up.", retry_after_s=for_s)


async def test_a_quota_that_is_used_up_is_still_used_up_after_a_restart(
    start: StartOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = start()
    it.fails(used_up())
    await it.watch.look()
    assert (it.saved.state, it.saved.rests_model, it.saved.rest_reason) == (AccountState.COOLING, "m", "quota")
    assert it.saved.last_error == "The day's requests are used up."

    it.clock.advance(600)
    later = start()
    assert not later.serves()
    assert later.serves("another model"), "it was the quota of one"
    assert later.rest().until - it.clock.monotonic() == pytest.approx(it.rest().until - it.clock.monotonic())
    assert later.rest().reason is RestReason.QUOTA
    assert later.rest().next_step == it.rest().next_step

    it.clock.advance(2700)  # less than five minutes are left
    last = start()
    assert not last.serves()
    monkeypatch.setattr(last.services.accounts.store, "change", lambda *_: pytest.fail("there is nothing to write"))
    await last.watch.look()
    monkeypatch.undo()


async def test_a_rest_that_began_in_the_last_moment_is_written_at_the_end(start: StartOne) -> None:
    it = start()
    it.fails(used_up())
    await it.watch.save()
    assert not start().serves()


async def test_what_is_short_or_only_failures_is_not_written(start: StartOne) -> None:
    it = start()
    it.fails(RateLimited("Too fast.", retry_after_s=LONG_S / 2))
    for _ in range(3):
        it.fails(Failing("Broken."), "other")
    failing = Rest(reason=RestReason.FAILING, until=it.clock.monotonic() + HOUR_S, since=it.clock.monotonic())
    it.services.pool.put_to_rest("ada", failing)
    await it.watch.save()
    assert len(it.services.pool.rests(it.clock.monotonic())) == 3
    assert it.saved.state is AccountState.OK


async def test_a_rest_that_is_over_leaves_the_file(start: StartOne) -> None:
    it = start()
    it.fails(used_up(2000))
    await it.watch.look()
    it.clock.advance(3600)
    await it.watch.look()
    assert (it.saved.state, it.saved.rests_until, it.saved.rest_reason, it.saved.last_error) == (
        AccountState.OK, None, "", "",
    )  # fmt: skip
    assert it.serves()


async def test_a_rest_that_ended_while_nothing_ran_leaves_the_file(start: StartOne) -> None:
    it = start()
    it.fails(used_up(2000))
    await it.watch.save()
    it.clock.advance(3600)
    later = start()
    assert later.serves()
    await later.watch.look()
    assert later.saved.state is AccountState.OK


async def test_of_several_rests_the_one_for_all_models_is_noted_else_the_longest(start: StartOne) -> None:
    it = start()
    it.fails(used_up(1000), "short")
    it.fails(used_up(2000), "long")
    await it.watch.look()
    assert it.saved.rests_model == "long"
    rest = Rest(reason=RestReason.BLOCKED, until=it.clock.monotonic() + 900, since=it.clock.monotonic())
    it.services.pool.put_to_rest("ada", rest)
    await it.watch.look()
    assert (it.saved.rests_model, it.saved.rest_reason) == ("", "blocked")


def enable(it: Process) -> None:
    store(it.home).change("ada", partial(enabled, now=it.clock.now()))


async def test_enabling_it_beside_a_running_gateway_clears_it_there(start: StartOne) -> None:
    it = start()
    it.fails(used_up())
    await it.watch.look()
    enable(it)
    assert not it.serves()
    await it.watch.look()
    assert it.serves()
    await it.watch.look()
    assert it.saved.state is AccountState.OK


@pytest.mark.parametrize("how_often", [1, 2])
async def test_enabling_clears_short_rests_and_failures_too(start: StartOne, how_often: int) -> None:
    it = start()
    for _ in range(how_often):
        it.fails(RateLimited("slower", retry_after_s=60.0))
        await it.watch.look()
        assert not it.serves()
        it.clock.advance(1.0)
        enable(it)
        await it.watch.look()
        assert it.serves()


async def test_what_one_gateway_finds_out_the_other_obeys(start: StartOne) -> None:
    it, other = start(), start()
    it.fails(used_up())
    await it.watch.look()
    await other.watch.look()
    assert not other.serves()
    assert await other.services.reset_account("ada")
    assert other.serves()
    await it.watch.look()
    assert it.serves()


async def test_a_rest_of_another_gateway_stands_beside_ones_own(start: StartOne) -> None:
    it, other = start(), start()
    rest = Rest(reason=RestReason.BLOCKED, until=it.clock.monotonic() + 900, since=it.clock.monotonic())
    it.services.pool.put_to_rest("ada", rest)
    await it.watch.look()
    other.fails(used_up())
    await other.watch.look()
    assert not other.serves("another model")
    assert (other.saved.rests_model, other.saved.rest_reason) == ("", "blocked")


async def test_of_two_rests_for_one_model_the_later_end_holds(start: StartOne) -> None:
    it, other = start(), start()
    it.fails(used_up(600))
    other.fails(used_up(1200))
    await it.watch.look()
    await other.watch.look()
    it.clock.advance(700)
    assert not other.serves()


async def test_what_goes_wrong_right_after_a_reset_is_not_forgotten(start: StartOne) -> None:
    it = start()
    it.fails(used_up())
    await it.watch.look()
    assert await it.services.reset_account("ada")
    it.fails(used_up())
    await it.watch.look()
    assert not it.serves()
    assert it.saved.state is AccountState.COOLING


async def test_a_later_end_that_another_gateway_has_noted_is_kept(start: StartOne) -> None:
    it = start()
    it.fails(used_up(600))
    await it.watch.look()
    until = it.clock.now() + HOUR_S
    store(it.home).change("ada", lambda saved: replace(saved, rests_until=until))
    it.clock.advance(700)
    await it.watch.look()
    await it.watch.look()
    assert (it.saved.state, it.saved.rests_until) == (AccountState.COOLING, until)
    assert not it.serves()


async def test_f57_a_clock_that_was_set_back_makes_no_rest_longer_than_the_longest(start: StartOne) -> None:
    it = start()
    it.fails(used_up())
    await it.watch.save()
    it.clock.jump(-30 * 86_400)
    later = start()
    assert later.rest().until - it.clock.monotonic() <= HOUR_S


async def test_a_reason_of_another_version_is_a_quota(start: StartOne) -> None:
    it = start()
    until = it.clock.now() + HOUR_S
    store(it.home).change(
        "ada", lambda saved: replace(saved, state=AccountState.COOLING, rests_until=until, rest_reason="moonphase")
    )
    assert start().rest().reason is RestReason.QUOTA


async def test_a_mark_that_matters_more_is_not_written_over(start: StartOne) -> None:
    it = start()
    store(it.home).change("ada", lambda saved: replace(saved, state=AccountState.NEEDS_LOGIN))
    await it.watch.look()
    it.fails(used_up())
    await it.watch.look()
    assert it.saved.state is AccountState.NEEDS_LOGIN


async def test_a_rest_that_cannot_be_written_is_written_later(start: StartOne, monkeypatch: pytest.MonkeyPatch) -> None:
    it = start()
    it.fails(used_up())

    def broken(*_: object) -> None:
        raise StateError("The disk is full.")

    monkeypatch.setattr(it.services.accounts.store, "change", broken)
    await it.watch.look()
    monkeypatch.undo()
    assert it.saved.state is AccountState.OK
    await it.watch.look()
    assert it.saved.rest_reason == "quota"


async def test_clearing_leaves_one_that_is_switched_off_as_it_is(start: StartOne) -> None:
    it = start()
    store(it.home).change("ada", lambda saved: replace(saved, state=AccountState.DISABLED, is_refused=True))
    await it.watch.look()
    assert await it.services.reset_account("ada")
    assert (it.saved.state, it.saved.is_refused) == (AccountState.DISABLED, False)


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_f57_a_rest_ends_in_its_time_although_the_wall_clock_was_set_back(
    start: StartOne, is_restarted: bool
) -> None:
    it = start()
    it.fails(used_up(600))
    await it.watch.look()
    assert it.saved.state is AccountState.COOLING

    it.clock.jump(-86_400)
    if is_restarted:
        it = start()
    longest_s = it.services.pool.rules.longest_rest_s if is_restarted else 660.0
    for _ in range(int(longest_s // 60) + 1):
        it.clock.advance(60)
        await it.watch.look()
    assert it.saved.state is AccountState.OK
    for _ in range(120):
        assert it.serves()
        it.clock.advance(60)
        await it.watch.look()
