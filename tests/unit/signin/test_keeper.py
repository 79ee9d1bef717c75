from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin.keeper import Keeper
from tests.support.saved_accounts import saved_account
from tests.support.virtual_time import run_in_virtual_time

POLICY = RefreshPolicy()
DAY = 86_400.0


class LoopClock:
    """Both readings go with the loop's virtual time; the time of day may be set."""

    def __init__(self) -> None:
        self.offset_s = 1_700_000_000.0

    def now(self) -> float:
        return self.offset_s + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class World:
    """Accounts, and a refresher that takes a second and brings tokens for `life_s`."""

    def __init__(self, count: int, *, life_s: float = 6 * 3600.0, policy: RefreshPolicy = POLICY) -> None:
        self.clock = LoopClock()
        self.life_s = life_s
        self.policy = policy
        self.accounts = {name: saved_account(name, api_key=Secret()) for name in (f"a{n}" for n in range(count))}
        self.calls: list[tuple[float, str]] = []
        self.at_once = self.most_at_once = self.saves = 0
        self.failing: Callable[[str], Exception | None] = lambda name: None

    def keeper(self, draws: Sequence[float] = (0.1, 0.9, 0.3, 0.7, 0.5)) -> Keeper:
        drawn = 0

        def chance() -> float:
            nonlocal drawn
            drawn += 1
            return draws[drawn % len(draws)]

        return Keeper(
            lambda: [(each, self.policy) for each in self.accounts.values()], self, clock=self.clock, chance=chance
        )

    async def refresh(self, account_id: str) -> SavedAccount:
        self.calls.append((self.clock.monotonic(), account_id))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(1)
        self.at_once -= 1
        if error := self.failing(account_id):
            raise error
        return self.renew(account_id)

    async def save_unsaved(self) -> None:
        self.saves += 1

    def renew(self, name: str) -> SavedAccount:
        now = self.clock.now()
        tokens = replace(saved_account(name).tokens, expires_at=now + self.life_s)  # type: ignore[type-var]
        self.accounts[name] = replace(self.accounts[name], tokens=tokens, refreshed_at=now)
        return self.accounts[name]

    def run(self, *steps: tuple[float, Callable[[], object]], until_s: float) -> list[tuple[float, str]]:
        """Let the keeper run, and do each step at its second; the answer is who was refreshed when."""

        async def scene() -> None:
            for name in self.accounts:
                if self.accounts[name].refreshed_at is None:
                    self.renew(name)
            self.start = self.clock.monotonic()
            keeping = asyncio.ensure_future(self.keeper().run())
            for at_s, step in (*steps, (until_s, lambda: None)):
                await asyncio.sleep(self.start + at_s - self.clock.monotonic())
                step()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

        run_in_virtual_time(scene())
        return [(at - self.start, name) for at, name in self.calls]


def test_each_account_is_refreshed_ahead_of_its_end_and_not_before() -> None:
    calls = World(3).run(until_s=6 * 3600)

    assert sorted(name for _, name in calls) == ["a0", "a1", "a2"]
    assert all(6 * 3600 * 0.85 < at < 6 * 3600 - 60 for at, _ in calls)


def test_a_server_with_ten_minute_tokens_is_asked_eight_times_an_hour_however_patient_the_policy() -> None:
    calls = World(1, life_s=600, policy=RefreshPolicy(ahead_s=DAY)).run(until_s=3600)

    assert 6 <= len(calls) <= 8


def test_many_that_are_due_are_spread_over_a_minute_and_four_at_a_time() -> None:
    world = World(40)
    world.run((100, lambda: setattr(world.clock, "offset_s", world.clock.offset_s + DAY)), until_s=400)

    at = [at for at, _ in world.calls]
    assert sorted(name for _, name in world.calls) == sorted(world.accounts)
    assert max(at) - min(at) > 30
    assert world.most_at_once <= 4


def test_f57_a_clock_set_forward_and_back_makes_one_refresh_each_and_no_storm() -> None:
    world = World(5)

    def jump(seconds: float) -> Callable[[], None]:
        def step() -> None:
            world.clock.offset_s += seconds

        return step

    calls = world.run((1000, jump(DAY)), (2000, jump(-DAY)), (3000, jump(-3600)), (4000, jump(3600)), until_s=5000)

    assert sorted(name for _, name in calls) == sorted(world.accounts)
    assert all(1000 <= at <= 1130 for at, _ in calls)


def test_f57_after_a_sleep_the_time_of_day_is_looked_at_within_a_minute() -> None:
    world = World(1)

    calls = world.run((1234, lambda: setattr(world.clock, "offset_s", world.clock.offset_s + 7200)), until_s=6 * 3600)

    assert len(calls) == 1
    assert calls[0][0] < 6 * 3600 - 7200


def test_an_account_that_fails_does_not_keep_others_waiting() -> None:
    world = World(3, life_s=1200)
    world.failing = lambda name: Overloaded("busy") if name == "a0" else None

    calls = world.run(until_s=3000)

    assert len([name for _, name in calls if name == "a1"]) >= 2
    assert len([name for _, name in calls if name == "a2"]) >= 2


def test_a_bug_in_one_account_ends_the_run_only_after_everybody_had_their_turn() -> None:
    world = World(3, life_s=1200)
    world.failing = lambda name: ZeroDivisionError() if name == "a0" else None

    async def scene() -> None:
        for name in world.accounts:
            world.renew(name)
        world.clock.offset_s += DAY
        with pytest.raises(ZeroDivisionError):
            await world.keeper().run()

    run_in_virtual_time(scene())

    assert sorted(name for _, name in world.calls) == ["a0", "a1", "a2"]
    assert world.saves == 1


def test_accounts_that_are_never_due_and_no_accounts_at_all_are_fine() -> None:
    world = World(2, life_s=1200)
    world.accounts = {name: replace(each, state=AccountState.DISABLED) for name, each in world.accounts.items()}

    assert world.run(until_s=7200) == []
    assert 110 <= world.saves <= 130
    assert World(0).run(until_s=7200) == []


def test_the_last_seconds_before_a_refresh_are_waited_exactly() -> None:
    """A keeper that looks on the minute would add up to a minute to a backoff of 30 s."""
    world = World(1, life_s=1200)

    def fail() -> None:
        now = world.clock.now()
        one = world.renew("a0")
        tokens = replace(one.tokens, expires_at=now)  # type: ignore[type-var]
        world.accounts["a0"] = replace(one, tokens=tokens, refresh_failures=1, last_error_at=now, failing_since=1.0)

    calls = world.run((10, fail), until_s=200)

    assert 40 <= calls[0][0] <= 40 + 60 + 60
