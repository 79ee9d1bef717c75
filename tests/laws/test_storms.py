"""Bad weather for a whole gateway, in virtual time: how many are served, and how much harder the upstream is hit."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Final

import pytest

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.exchanges import Bench, bench
from tests.support.fake_transport import FakeReply, FakeTransport
from tests.support.faults import whole
from tests.support.seeds import for_each_seed
from tests.support.virtual_time import run_in_virtual_time

GOOD: Final = FakeReply(whole())
OVERLOADED: Final = FakeReply(b'{"error":{"message":"overloaded"}}', status=503)
LENGTH_S: Final = 20.0
ANSWER_S: Final = 1.0
SHARE_BAD: Final = 0.3
MOST_RETRIES: Final = 0.2
ENOUGH: Final = 1000
"""So many requests that chance does not decide."""


class BrownOut(FakeTransport):
    """Three calls of ten fail, whatever is asked of whom."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(GOOD)
        self._rng = rng

    async def send(self, request: UpstreamRequest) -> FakeReply:
        self.requests.append(request)
        await asyncio.sleep(ANSWER_S)
        return (OVERLOADED if self._rng.random() < SHARE_BAD else GOOD).fresh()


class Endless(RetryBudget):
    def allows_retry(self, now: float) -> bool:
        return True


async def _weather(it: Bench, rng: random.Random, a_second: float) -> Counter[str]:
    loop = asyncio.get_running_loop()
    ends: Counter[str] = Counter()

    async def one() -> None:
        try:
            await it.answer()
            ends["served"] += 1
        except GatewayError as error:
            ends[error.kind] += 1

    until = loop.time() + LENGTH_S
    async with asyncio.TaskGroup() as group:
        while loop.time() < until:
            group.create_task(one())
            await asyncio.sleep(rng.expovariate(a_second))
    assert (it.in_flight, it.turnstile.waiting) == (0, 0)
    return ends


def gateway(rng: random.Random, accounts: int) -> Bench:
    return bench(transport=BrownOut(rng), count=accounts, concurrency=0, retry=RetryRules())


@pytest.mark.parametrize("accounts", [2, 3])
@pytest.mark.parametrize("a_second", [5, 20, 100])
def test_f63_while_the_budget_lasts_a_brown_out_costs_one_request_in_twenty_at_most(
    accounts: int, a_second: float
) -> None:
    def law(rng: random.Random) -> None:
        async def scenario() -> Counter[str]:
            it = gateway(rng, accounts)
            it.gateway._means = replace(it.gateway._means, budget=Endless())
            return await _weather(it, rng, a_second)

        ends: Counter[str] = Counter()
        while ends.total() < ENOUGH:
            ends += run_in_virtual_time(scenario())
        assert ends["served"] >= 0.95 * ends.total(), ends

    for_each_seed(1, law)


@pytest.mark.parametrize("accounts", [1, 2, 3])
def test_f63_what_the_budget_allows_is_served_and_the_upstream_is_not_hammered(accounts: int) -> None:
    def law(rng: random.Random) -> None:
        async def scenario() -> tuple[Counter[str], int]:
            it = gateway(rng, accounts)
            ends = await _weather(it, rng, 100)
            return ends, len(it.transport.requests)

        ends, asked = run_in_virtual_time(scenario())
        possible = (1.0 - SHARE_BAD) * (1.0 + MOST_RETRIES)
        assert ends["served"] >= (possible - 0.05) * ends.total(), ends
        assert asked <= (1.0 + MOST_RETRIES) * ends.total() + 15
        assert set(ends) == {"served", "upstream_overloaded"}, "nobody waits in vain"

    for_each_seed(2, law)
