"""What the gateway does with a bearer that was refused, or is about to end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import CredentialError, GatewayError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.deadline import Limits
from iflow_cli_proxy.gateway.renewal import NoRenewal
from iflow_cli_proxy.gateway.retry import RetryRules
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from tests.support.exchanges import Bench, bench
from tests.support.fake_transport import FakeReply
from tests.support.faults import whole
from tests.support.virtual_time import run_in_virtual_time

EXPIRED = FakeReply(b'{"error":{"message":"token expired"}}', status=401)
BANNED = FakeReply(b'{"error":{"message":"account disabled"}}', status=403)
BROKEN = FakeReply(b"{}", status=503)
GOOD = FakeReply(whole())


class FakeRenewals:
    """Gives accounts the next bearer of its list, and none when that is empty."""

    def __init__(self, *bearers: str, wait: asyncio.Event | None = None) -> None:
        self.pool: AccountPool
        self.asked: list[Account] = []
        self.refused: list[tuple[str, GatewayError]] = []
        self.was_asked = asyncio.Event()
        self._bearers = list(bearers)
        self._wait = wait

    async def renew(self, account: Account) -> Account | None:
        self.asked.append(account)
        self.was_asked.set()
        if self._wait is not None:
            await self._wait.wait()
        if not self._bearers:
            return None
        newer = replace(account, api_key=Secret(self._bearers.pop(0)), fresh_until=float("inf"))
        self.pool.renew(newer)
        return newer

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        self.refused.append((account.id, error))
        return True


def renewing(*answers: FakeReply, renewal: FakeRenewals, count: int = 1, **options: Any) -> Bench:
    it = bench(*answers, renewal=renewal, count=count, **options)
    renewal.pool = it.pool
    return it


def keys_sent(it: Bench) -> list[str]:
    return [request.headers.get("Authorization", "") for request in it.transport.requests]


async def test_f37_a_refused_bearer_is_renewed_once_and_the_same_account_answers() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(EXPIRED, GOOD, renewal=renewal, count=3)

    assert await it.body() == whole()
    assert keys_sent(it) == ["", "Bearer newer"]
    assert [account for account, _ in it.endings] == ["label 0", "label 0"]
    assert renewal.refused == []


async def test_f38_a_bearer_that_is_refused_again_is_noted_and_another_account_answers() -> None:
    renewal = FakeRenewals("newer", "never asked for")
    it = renewing(EXPIRED, EXPIRED, GOOD, renewal=renewal, count=2)

    assert await it.body() == whole()
    assert len(renewal.asked) == 1
    assert [account for account, _ in it.endings] == ["label 0", "label 0", "label 1"]
    assert [account for account, _ in renewal.refused] == ["a0"]


async def test_an_account_that_cannot_be_renewed_is_noted_and_costs_one_attempt() -> None:
    renewal = FakeRenewals()
    it = renewing(EXPIRED, GOOD, renewal=renewal, count=2)

    assert await it.body() == whole()
    assert [account for account, _ in it.endings] == ["label 0", "label 1"]
    assert [account for account, _ in renewal.refused] == ["a0"]


async def test_f38_with_no_other_account_the_client_hears_of_the_account_not_of_its_key() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(EXPIRED, renewal=renewal)

    with pytest.raises(CredentialError):
        await it.body()
    assert len(it.transport.requests) == 2
    assert it.in_flight == 0


async def test_a_bearer_about_to_end_is_renewed_before_the_request_goes_out() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(GOOD, renewal=renewal)
    ending = replace(it.pool.standings()[0].account, api_key=Secret("ending"), fresh_until=0.0)
    it.pool.renew(ending)

    assert await it.body() == whole()
    assert keys_sent(it) == ["Bearer newer"]
    assert renewal.asked == [ending]


async def test_an_ending_bearer_that_cannot_be_renewed_is_used_as_long_as_it_works() -> None:
    renewal = FakeRenewals()
    it = renewing(GOOD, renewal=renewal)
    it.pool.renew(replace(it.pool.standings()[0].account, api_key=Secret("ending"), fresh_until=0.0))

    assert await it.body() == whole()
    assert keys_sent(it) == ["Bearer ending"]


async def test_nobody_waits_for_a_renewal_while_another_account_is_fresh_and_free() -> None:
    renewal = FakeRenewals("newer", "newest")
    it = renewing(GOOD, BROKEN, GOOD, renewal=renewal, count=2)
    it.pool.renew(replace(it.pool.standings()[0].account, api_key=Secret("ending"), fresh_until=0.0))

    assert await it.body() == whole()
    assert ([account for account, _ in it.endings], renewal.asked) == (["label 1"], [])
    assert await it.body() == whole()
    assert [account for account, _ in it.endings] == ["label 1", "label 0"], "the one that failed is no better"
    assert keys_sent(it)[-1] == "Bearer newer"


async def test_a_fresh_bearer_waits_for_nobody() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(GOOD, renewal=renewal)
    it.pool.renew(replace(it.pool.standings()[0].account, fresh_until=1.0))

    await it.body()
    assert renewal.asked == []


async def test_a_caller_that_leaves_during_a_renewal_frees_its_slot() -> None:
    renewal = FakeRenewals(wait=asyncio.Event())
    it = renewing(GOOD, renewal=renewal)
    it.pool.renew(replace(it.pool.standings()[0].account, fresh_until=0.0))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(it.body())
        await renewal.was_asked.wait()
        task.cancel()
    assert it.in_flight == 0


def test_a_renewal_that_hangs_ends_with_the_requests_own_limit() -> None:
    async def scenario() -> None:
        renewal = FakeRenewals(wait=asyncio.Event())
        it = renewing(EXPIRED, renewal=renewal, limits=Limits(first_byte_s=1, idle_s=1, content_s=1, total_s=3))
        started = asyncio.get_running_loop().time()
        with pytest.raises(CredentialError):
            await it.body()
        assert asyncio.get_running_loop().time() - started <= 3.1
        assert it.in_flight == 0

    run_in_virtual_time(scenario())


async def test_a_renewal_that_is_still_under_way_says_nothing_of_the_account() -> None:
    renewal = FakeRenewals(wait=asyncio.Event())
    it = renewing(EXPIRED, renewal=renewal, limits=Limits(total_s=0.05))
    with pytest.raises(CredentialError):
        await it.body()
    assert renewal.refused == []


def test_an_ending_bearer_whose_renewal_takes_too_long_goes_out_as_it_is() -> None:
    async def scenario() -> None:
        renewal = FakeRenewals(wait=asyncio.Event())
        it = renewing(GOOD, renewal=renewal)
        it.pool.renew(replace(it.pool.standings()[0].account, api_key=Secret("ending"), fresh_until=0.0))
        started = asyncio.get_running_loop().time()
        assert await it.body() == whole()
        assert asyncio.get_running_loop().time() - started == pytest.approx(20.0)
        assert keys_sent(it) == ["Bearer ending"]
        assert it.in_flight == 0

    run_in_virtual_time(scenario())


async def test_with_no_attempt_left_a_refused_bearer_is_renewed_for_the_next_request() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(EXPIRED, GOOD, renewal=renewal, retry=RetryRules(max_attempts=1))
    with pytest.raises(CredentialError):
        await it.body()
    assert renewal.refused == []
    assert await it.body() == whole()
    assert keys_sent(it) == ["", "Bearer newer"]


async def test_a_blocked_account_is_noted_without_a_refresh() -> None:
    renewal = FakeRenewals("newer")
    it = renewing(BANNED, GOOD, renewal=renewal, count=2)

    await it.body()
    assert [account for account, _ in renewal.refused] == ["a0"]


async def test_accounts_that_are_only_keys_have_nothing_to_renew() -> None:
    account = Account(id="a", provider="p", label="l")

    assert await NoRenewal().renew(account) is None
    assert not NoRenewal().note_refused(account, CredentialError("no"))
