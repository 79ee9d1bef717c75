"""What becomes of an account whose bearer is refused, or is about to end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Blocked, CredentialError, Revoked, StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool, Lease
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.renewing import PoolRenewal
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.wiring import accounts, iflow_files, keep, new_tokens, on_disk, qwen_account, store

NO = CredentialError("The key is refused.")
DEAD = FakeReply(b'{"error":"invalid_grant","error_description":"revoked"}', status=400)
DOWN = FakeReply(b'{"error":"server_error"}', status=503)


@dataclass
class Bench:
    """One gateway's renewal over a home folder; `wired` counts how often it asked to be wired again."""

    accounts: Accounts
    pool: AccountPool
    clock: FakeClock
    transport: FakeTransport
    renewal: PoolRenewal
    wired: int = 0

    def wire(self) -> None:
        self.wired += 1
        found = (self.renewal.usable(one) for one in self.accounts.last_known())
        self.pool.replace([account for account in found if account is not None])

    def read_again(self) -> None:
        self.accounts.known()
        self.wire()

    @property
    def account(self) -> Account:
        (standing,) = self.pool.standings()
        return standing.account

    @property
    def keys(self) -> list[str]:
        return [standing.account.api_key.reveal() for standing in self.pool.standings()]


def bench(home: Path, *answers: Answer, environ: dict[str, str] | None = None) -> Bench:
    clock, pool, transport = FakeClock(), AccountPool(), FakeTransport(*(answers or (new_tokens(),)))
    made = accounts("", home, environ, clock=clock, transport=transport)
    it = Bench(made, pool, clock, transport, PoolRenewal(made, pool, on_refused=lambda: it.wire()))
    it.read_again()
    return it


async def test_a_newer_bearer_is_in_the_pool_when_it_is_told(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    newer = await it.renewal.renew(replace(it.account, concurrency=3))
    assert newer is not None
    assert (newer.api_key.reveal(), newer.concurrency) == ("at-newer-0123456789", 3)
    assert it.account == newer


async def test_what_another_process_has_brought_is_taken_without_a_call(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    tokens = qwen_account().tokens
    assert tokens is not None
    store(tmp_path).change(
        "ada", lambda one: replace(one, tokens=replace(tokens, access_token=Secret("at-theirs-0123456789")))
    )
    assert await it.renewal.renew(it.account) is not None
    assert it.keys == ["at-theirs-0123456789"]
    assert it.transport.requests == []


async def test_an_account_that_is_gone_or_only_a_key_has_nothing_newer(tmp_path: Path) -> None:
    it = bench(tmp_path, environ={"IFLOW_API_KEY": "sk-env-0123456789"})
    assert await it.renewal.renew(it.account) is None
    assert await it.renewal.renew(Account(id="gone", provider="qwen", label="gone")) is None


async def test_accounts_that_cannot_be_looked_up_raise_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = bench(tmp_path)

    def broken() -> None:
        raise StateError("The folder of accounts cannot be read.")

    monkeypatch.setattr(it.accounts.store, "load", broken)
    gone = Account(id="gone", provider="qwen", label="gone")
    assert await it.renewal.renew(gone) is None
    assert not it.renewal.note_refused(gone, NO)


# --- refused ------------------------------------------------------------------------------------------------------


async def refuse(it: Bench) -> bool:
    """What the gateway does with a 401."""
    account = it.account
    assert await it.renewal.renew(account) is None
    return it.renewal.note_refused(account, NO)


async def test_f38_a_dead_sign_in_leaves_the_pool_and_the_file_says_so_once(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path, DEAD)
    account = it.account
    assert await refuse(it)
    assert it.keys == []
    assert it.renewal.note_refused(account, NO), "another request that was under way hears the same"
    assert it.wired == 2

    await it.renewal.save_refusals()
    it.wire()
    assert it.keys == [], "also before the file is read again"
    saved = on_disk(tmp_path, "ada")
    assert (saved.state, saved.is_refused, saved.last_error) == (AccountState.NEEDS_LOGIN, True, NO.message)
    assert saved.bearer == qwen_account().bearer
    before = store(tmp_path).stamps()
    await it.renewal.save_refusals()
    assert store(tmp_path).stamps() == before


async def test_two_processes_that_are_refused_write_it_once(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    one, two = bench(tmp_path), bench(tmp_path)
    for it in (one, two):
        assert it.renewal.note_refused(it.account, NO)
    await one.renewal.save_refusals()
    before = store(tmp_path).stamps()
    two.clock.advance(10)
    await two.renewal.save_refusals()
    assert store(tmp_path).stamps() == before


async def test_a_refusal_says_nothing_about_a_newer_bearer(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    old = it.account
    assert it.renewal.note_refused(old, NO)
    tokens = qwen_account().tokens
    assert tokens is not None
    newer = replace(tokens, access_token=Secret("at-newer-0123456789"))
    store(tmp_path).change("ada", lambda one: replace(one, tokens=newer))

    await it.renewal.save_refusals()
    assert on_disk(tmp_path, "ada").state is AccountState.OK
    it.read_again()
    assert it.keys == ["at-newer-0123456789"]
    assert not it.renewal.note_refused(old, NO), "it speaks of a bearer that is no longer used"


async def test_a_new_sign_in_brings_even_the_same_key_back(tmp_path: Path) -> None:
    key = SavedAccount(
        id="mine", provider="iflow", label="mine", auth_type=AuthType.API_KEY, api_key=Secret("sk-of-mine")
    )
    keep(tmp_path, key)
    it = bench(tmp_path)
    assert it.renewal.note_refused(it.account, NO)
    await it.renewal.save_refusals()
    it.read_again()
    assert it.keys == []
    store(tmp_path).change("mine", lambda one: replace(one, is_refused=False, state=AccountState.OK))
    it.read_again()
    assert it.keys == ["sk-of-mine"]


async def test_a_refusal_that_cannot_be_saved_holds_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)

    def broken(*_: object) -> None:
        raise StateError("No space is left on the disk.")

    monkeypatch.setattr(it.accounts.store, "change", broken)
    with caplog.at_level(logging.WARNING, "iflow2api.accounts"):
        assert it.renewal.note_refused(it.account, NO)
        await it.renewal.save_refusals()
        await it.renewal.save_refusals()
    it.read_again()
    assert it.keys == []
    assert caplog.text.count("was not saved") == 1


async def test_an_account_that_a_person_switched_off_meanwhile_stays_switched_off(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    assert it.renewal.note_refused(it.account, NO)
    store(tmp_path).change("ada", lambda one: replace(one, state=AccountState.DISABLED))
    await it.renewal.save_refusals()
    assert on_disk(tmp_path, "ada").state is AccountState.DISABLED


def test_who_is_forbidden_one_thing_stays_and_who_is_blocked_goes(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    assert not it.renewal.note_refused(it.account, Revoked("Not this model."))
    assert it.renewal.note_refused(it.account, Blocked("Blocked."))
    assert it.keys == []


def test_a_key_of_the_configuration_stays_whatever_it_is_told(tmp_path: Path) -> None:
    it = bench(tmp_path, environ={"IFLOW_API_KEY": "sk-env-0123456789"})
    assert not it.renewal.note_refused(it.account, NO)
    it.read_again()
    assert it.keys == ["sk-env-0123456789"]


def test_a_refused_key_of_the_configuration_rests_where_others_can_serve(tmp_path: Path) -> None:
    it = bench(tmp_path, environ={"IFLOW_API_KEY": "sk-env-0123456789"})
    refused = it.account
    it.pool.replace([refused, Account(id="other", provider="iflow", label="other")])

    assert it.renewal.note_refused(refused, NO)
    wish = Wish(provider="iflow")
    taken = [it.pool.take(wish, it.clock.monotonic()) for _ in range(3)]
    assert {lease.account.id for lease in taken if isinstance(lease, Lease)} == {"other"}
    assert [account_id for account_id, _ in it.pool.rests(it.clock.monotonic())] == [refused.id]
    it.clock.advance(31)
    assert it.pool.rests(it.clock.monotonic()) == ()


# --- refused while nobody can renew it ----------------------------------------------------------------------------


async def test_a_sign_in_server_that_is_down_costs_a_rest_and_no_login(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path, DOWN, new_tokens())
    assert await refuse(it)
    assert it.keys == []
    await it.renewal.save_refusals()
    assert on_disk(tmp_path, "ada").state is AccountState.OK
    assert not it.renewal.take_back()

    it.clock.advance(301)
    assert it.renewal.take_back()
    it.wire()
    assert await it.renewal.renew(it.account) is not None
    assert it.keys == ["at-newer-0123456789"]


async def test_a_renewed_bearer_that_is_refused_too_is_no_matter_of_waiting(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    newer = await it.renewal.renew(it.account)
    assert newer is not None
    assert it.renewal.note_refused(newer, NO)
    it.clock.advance(100_000)
    assert not it.renewal.take_back()
    await it.renewal.save_refusals()
    assert on_disk(tmp_path, "ada").state is AccountState.NEEDS_LOGIN


async def test_what_hindered_the_renewal_of_an_earlier_bearer_excuses_no_later_one(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path, DOWN)
    await it.renewal.renew(it.account)
    tokens = qwen_account().tokens
    assert tokens is not None
    later = replace(tokens, access_token=Secret("at-later-0123456789"))
    store(tmp_path).change("ada", lambda one: replace(one, tokens=later))
    it.read_again()
    assert it.renewal.note_refused(it.account, NO)
    await it.renewal.save_refusals()
    assert on_disk(tmp_path, "ada").state is AccountState.NEEDS_LOGIN


async def test_a_bearer_about_to_end_that_cannot_be_renewed_goes_on_and_asks_again_later(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path, DOWN)
    it.pool.renew(replace(it.account, fresh_until=0.0))
    assert await it.renewal.renew(it.account) is None
    assert it.account.fresh_until == 5.0
    assert it.account.api_key == qwen_account().bearer


# --- other keys of the same sign-in -------------------------------------------------------------------------------


@pytest.fixture
def spared(tmp_path: Path) -> Bench:
    """An iFlow client whose sign-in, settings and search key all differ; its refresh is dead."""
    iflow_files(tmp_path, apiKey="sk-second-0123456789", searchApiKey="sk-third-0123456789")
    return bench(tmp_path, DEAD)


async def test_a_refused_key_makes_room_for_the_next_and_only_the_last_takes_the_account_out(spared: Bench) -> None:
    for key in ("sk-second-0123456789", "sk-third-0123456789"):
        newer = await spared.renewal.renew(spared.account)
        assert newer is not None
        assert spared.keys == [newer.api_key.reveal()] == [key]
        spared.read_again()
        assert spared.keys == [key], "reading again does not bring a refused one back"
    assert await refuse(spared)
    assert spared.keys == []
    spared.read_again()
    assert spared.keys == []
    assert len(spared.transport.requests) <= 1, "nobody asks again with a dead refresh token"


async def test_a_refresh_that_brings_the_same_key_makes_room_for_a_spare_one_too(tmp_path: Path) -> None:
    iflow_files(tmp_path, apiKey="sk-second-0123456789")
    it = bench(tmp_path, new_tokens(), same_key("sk-first-0123456789"))
    assert await it.renewal.renew(it.account) is not None
    assert it.keys == ["sk-second-0123456789"]
    it.read_again()
    assert it.keys == ["sk-second-0123456789"]


def same_key(key: str) -> FakeReply:
    """What iFlow tells of a person."""
    data = {"apiKey": key, "email": "ada@example.com", "phone": "", "userName": "ada"}
    return FakeReply(jsonx.encode({"success": True, "code": "200", "data": data}))


async def test_a_new_sign_in_of_the_client_starts_with_its_first_key_again(tmp_path: Path, spared: Bench) -> None:
    await spared.renewal.renew(spared.account)
    iflow_files(tmp_path, access="at-2", apiKey="sk-second-0123456789")
    spared.read_again()
    assert spared.keys == ["sk-first-0123456789"]


async def test_of_a_key_in_the_environment_the_client_files_are_the_spare_ones(tmp_path: Path) -> None:
    iflow_files(tmp_path)
    it = bench(tmp_path, environ={"IFLOW_API_KEY": "sk-env-0123456789"})
    assert await it.renewal.renew(it.account) is not None
    it.read_again()
    assert it.keys == ["sk-first-0123456789"]
    assert await it.renewal.renew(it.account) is None, "the one that was refused is not tried again"
    assert not it.renewal.note_refused(it.account, NO)
    it.read_again()
    assert len(it.keys) == 1, "its owner may still change it"


async def test_many_that_are_refused_at_once_share_one_refresh(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    account = it.account
    newer = await asyncio.gather(*(it.renewal.renew(account) for _ in range(20)))
    assert {one.api_key.reveal() for one in newer if one} == {"at-newer-0123456789"}
    assert len(it.transport.requests) == 1


async def test_who_is_forgiven_may_be_asked_again_with_the_same_key(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    it = bench(tmp_path)
    [one] = it.accounts.known()
    account = it.account
    assert it.renewal.note_refused(account, CredentialError("No."))
    assert it.renewal.usable(one) is None

    it.renewal.forgive(account.id)

    assert it.renewal.usable(one) is not None
    await it.renewal.save_refusals()
    assert not on_disk(tmp_path, "ada").is_refused, "nor is it written down any more"
