"""Between this process and the others: changes on disk are taken up, counts and refusals are written down."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import CredentialError, StateError
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.wiring.services import Services
from iflow_cli_proxy.wiring.watching import LOOK_EVERY_S, SAVE_EVERY_S, AccountWatch
from tests.support.fake_clock import FakeClock
from tests.support.wiring import around, keep, on_disk, qwen_account, services, store


class Watched:
    """A process with its watch; `use` makes requests on an account."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = FakeClock()
        self.services: Services = services("", home, clock=self.clock)
        self.watch = AccountWatch(self.services)

    @property
    def ids(self) -> list[str]:
        return [standing.account.id for standing in self.services.pool.standings()]

    def use(self, times: int = 1) -> None:
        for _ in range(times):
            lease = self.services.pool.take(Wish(provider="qwen"), 0.0)
            assert lease is not None
            self.services.turnstile.leave(lease, Outcome())

    def counted(self) -> int:
        return on_disk(self.home, "ada").request_count


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Watched]:
    keep(tmp_path, qwen_account())
    watched = Watched(tmp_path)
    yield watched
    await watched.services.aclose()


def breaking(it: Watched, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def broken(*_: object) -> None:
        raise StateError("The folder of accounts cannot be read.")

    for name in names:
        monkeypatch.setattr(it.services.accounts.store, name, broken)


# --- what others change -------------------------------------------------------------------------------------------


async def test_accounts_that_come_change_and_go_are_taken_up(it: Watched) -> None:
    keep(it.home, qwen_account("bob"))
    await it.watch.look()
    assert it.ids == ["ada", "bob"]
    store(it.home).change("bob", lambda one: replace(one, state=AccountState.DISABLED))
    await it.watch.look()
    assert it.ids == ["ada"]
    store(it.home).delete("ada")
    await it.watch.look()
    assert it.ids == []


async def test_what_changed_between_wiring_and_the_first_look_is_seen(it: Watched) -> None:
    keep(it.home, qwen_account("bob"))
    watch = AccountWatch(it.services)
    await watch.look()
    assert it.ids == ["ada", "bob"]


async def test_while_nothing_changes_nothing_is_read(
    it: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await it.watch.look()
    breaking(it, monkeypatch, "load")
    await it.watch.look()
    assert caplog.text == ""


async def test_a_folder_that_is_gone_takes_its_accounts_along_and_brings_them_back(it: Watched) -> None:
    folder = around(it.home)[0].accounts_dir
    shutil.move(folder, it.home / "elsewhere")
    await it.watch.look()
    assert it.ids == []
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(it.home / "elsewhere", folder)
    await it.watch.look()
    assert it.ids == ["ada"]


@pytest.mark.parametrize("broken", ["stamps", "load"])
async def test_a_folder_that_cannot_be_read_is_told_once_and_what_is_known_goes_on(
    it: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    breaking(it, monkeypatch, broken)
    with caplog.at_level(logging.WARNING, "iflow2api.accounts"):
        for _ in range(3):
            await it.watch.look()
    assert it.ids == ["ada"]
    assert caplog.text.count("cannot be read again") == 1

    keep(it.home, qwen_account("bob"))
    await it.watch.look()
    monkeypatch.undo()
    await it.watch.look()
    assert it.ids == ["ada", "bob"], "a change is not lost by having failed to be read"


async def test_it_looks_every_two_seconds_for_ever(it: Watched) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await it.watch.run(sleep)
    assert pauses == [LOOK_EVERY_S] * 3


# --- refusals -----------------------------------------------------------------------------------------------------


async def test_a_refusal_is_written_by_the_next_look_and_other_processes_obey_it(it: Watched) -> None:
    other = Watched(it.home)
    await other.watch.look()
    assert it.services.renewal.note_refused(it.services.wired.accounts[0], CredentialError("no"))
    await it.watch.look()
    await other.watch.look()
    assert on_disk(it.home, "ada").is_refused
    assert (it.ids, other.ids) == ([], [])

    tokens = qwen_account("new").tokens
    store(it.home).change(
        "ada", lambda one: replace(one, tokens=tokens, is_refused=False, state=AccountState.OK, last_error="")
    )
    await it.watch.look()
    await other.watch.look()
    assert (it.ids, other.ids) == (["ada"], ["ada"])
    await other.services.aclose()


async def test_an_account_whose_rest_is_over_is_taken_back(it: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(it.services.renewal, "_rest_s", lambda *_: 30.0)
    assert it.services.renewal.note_refused(it.services.wired.accounts[0], CredentialError("no"))
    await it.watch.look()
    assert it.ids == []
    it.clock.advance(30)
    await it.watch.look()
    assert it.ids == ["ada"]
    assert not on_disk(it.home, "ada").is_refused


async def test_a_refusal_in_the_last_moment_is_written_at_the_end(it: Watched) -> None:
    assert it.services.renewal.note_refused(it.services.wired.accounts[0], CredentialError("no"))
    await it.watch.save()
    assert on_disk(it.home, "ada").is_refused


# --- counts -------------------------------------------------------------------------------------------------------


async def test_counts_are_written_every_half_minute(it: Watched) -> None:
    it.use(3)
    await it.watch.look()
    assert it.counted() == 0
    it.clock.advance(SAVE_EVERY_S)
    await it.watch.look()
    assert it.counted() == 3
    assert on_disk(it.home, "ada").last_used_at == it.clock.now()
    it.clock.advance(SAVE_EVERY_S)
    before = store(it.home).stamps()
    await it.watch.look()
    assert store(it.home).stamps() == before, "an account that nobody used is not written"


async def test_two_processes_add_up_in_one_file(it: Watched) -> None:
    other = Watched(it.home)
    it.use(3)
    other.use(4)
    await asyncio.gather(it.watch.save(), other.watch.save())
    it.use(2)
    await it.watch.save()
    assert it.counted() == 9
    await other.services.aclose()


def switch(it: Watched, state: AccountState) -> None:
    store(it.home).change("ada", lambda one: replace(one, state=state))


async def test_an_account_that_leaves_and_comes_back_is_counted_neither_twice_nor_less(it: Watched) -> None:
    it.use(5)
    await it.watch.save()
    for _ in range(3):
        it.use(2)
        await it.watch.look()
        switch(it, AccountState.DISABLED)
        await it.watch.look()
        switch(it, AccountState.OK)
        await it.watch.look()
    it.use(7)
    await it.watch.save()
    assert it.counted() == 5 + 3 * 2 + 7


async def test_an_account_that_left_before_its_count_could_be_written_is_still_counted(
    it: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    it.use(2)
    await it.watch.look()
    switch(it, AccountState.DISABLED)
    await it.watch.look()
    breaking(it, monkeypatch, "change")
    await it.watch.save()
    monkeypatch.undo()
    await it.watch.save()
    await it.watch.save()
    assert it.counted() == 2


async def test_a_count_that_cannot_be_written_is_added_later(it: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    it.use(3)
    breaking(it, monkeypatch, "change")
    await it.watch.save()
    monkeypatch.undo()
    it.use(1)
    await it.watch.save()
    assert it.counted() == 4


async def test_a_deleted_account_is_not_brought_back_by_its_count(it: Watched) -> None:
    it.use(3)
    store(it.home).delete("ada")
    await it.watch.save()
    await it.watch.look()
    await it.watch.save()
    assert store(it.home).load().accounts == ()


async def test_a_save_that_is_cut_short_is_finished_and_the_last_one_adds_nothing_twice(
    it: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    it.use(3)
    entered, go_on = threading.Event(), threading.Event()
    change = it.services.accounts.store.change

    def slow(account_id: str, edit: Callable[[SavedAccount], SavedAccount]) -> SavedAccount:
        entered.set()
        assert go_on.wait(5)
        return change(account_id, edit)

    monkeypatch.setattr(it.services.accounts.store, "change", slow)
    saving = asyncio.ensure_future(it.watch.save())
    assert await asyncio.to_thread(entered.wait, 5)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    it.use(1)
    last = asyncio.ensure_future(it.watch.save())
    await asyncio.sleep(0)
    go_on.set()
    await last
    assert it.counted() == 4
