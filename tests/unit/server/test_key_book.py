from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import CapacityError, QuotaExhausted, RateLimited, StateError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.pool.client_key import Budget, ClientKey, Retiring, digest_of
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.fake_clock import FakeClock

KEY = ClientKey(name="team", digest=digest_of("sk-team"))


class Shelf:
    """A key file, its book, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.file = KeyFile(folder / "keys.toml")
        self.clock = FakeClock()
        self.book = KeyBook(self.file, clock=self.clock)

    def finds(self, secret: str) -> bool:
        return self.book.find(digest_of(secret)) is not None


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def ended(*, tokens: Usage | None = None, went_out: bool = True, began: bool = True) -> Exchange:
    exchange = Exchange(request_id="r", protocol="openai_chat", started_at=0.0, usage=tokens)
    if went_out:
        exchange.attempts.append(AttemptRecord(account="a", route="up/m"))
    exchange.first_byte_s = 0.1 if began else None
    return exchange


async def test_a_book_without_a_file_knows_nobody() -> None:
    book = KeyBook()
    book.open()
    await book.look()

    assert book.find(KEY.digest) is None
    assert book.keys == ()


async def test_what_changes_in_the_file_is_taken_up_at_the_next_look(shelf: Shelf) -> None:
    shelf.book.open()
    shelf.file.add(KEY)
    assert not shelf.finds("sk-team")

    await shelf.book.look()
    assert shelf.finds("sk-team")

    shelf.file.change(["team"], lambda key: replace(key, digest=digest_of("sk-new")))
    await shelf.book.look()
    assert shelf.finds("sk-new")
    assert not shelf.finds("sk-team")


async def test_a_replaced_secret_works_until_its_grace_is_over(shelf: Shelf) -> None:
    until = shelf.clock.now() + 10
    shelf.file.add(replace(KEY, digest=digest_of("sk-new"), retiring=(Retiring(digest=KEY.digest, until=until),)))
    shelf.book.open()

    shelf.clock.advance(9.9)
    assert shelf.finds("sk-team")
    shelf.clock.advance(0.1)
    assert not shelf.finds("sk-team")
    assert shelf.finds("sk-new")


def test_f53_a_server_does_not_begin_with_a_damaged_file(shelf: Shelf) -> None:
    shelf.file.path.write_text("version = 1\n[keys")

    with pytest.raises(StateError, match=r"line 2"):
        shelf.book.open()


async def test_f53_a_file_that_breaks_leaves_the_keys_as_they_were_and_is_told_once(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.file.add(KEY)
    shelf.book.open()
    whole = shelf.file.path.read_bytes()

    for text in (b"", b"version = 1\n[keys", b"version = 1\n[keys"):
        shelf.file.path.write_bytes(text)
        await shelf.book.look()
        await shelf.book.look()
        assert shelf.finds("sk-team")
    shelf.file.path.write_bytes(whole.replace(b"team", b"crew"))
    await shelf.book.look()

    complaints = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(complaints) == 2
    assert [key.name for key in shelf.book.keys] == ["crew"]


async def test_a_file_that_is_taken_away_takes_its_keys_along(shelf: Shelf) -> None:
    shelf.file.add(KEY)
    shelf.book.open()

    shelf.file.path.unlink()
    await shelf.book.look()

    assert not shelf.finds("sk-team")


async def test_a_limit_misspelt_by_hand_is_told(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    shelf.file.add(KEY)
    with shelf.file.path.open("ab") as out:
        out.write(b"rmp = 5\n")
    shelf.book.open()

    assert "keys.team.rmp" in caplog.text


async def test_the_loop_is_not_held_up_by_the_disk(shelf: Shelf) -> None:
    threads: set[int] = set()

    class Watched(KeyFile):
        def stamp(self) -> tuple[int, int, int]:
            threads.add(threading.get_ident())
            return len(threads), 0, 0

    book = KeyBook(Watched(shelf.file.path), clock=shelf.clock)
    looks = 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await book.run(sleep)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("limits", "error", "words", "wait_s"),
    [
        ({"rpm": 1}, RateLimited, r"requests a minute \(1\)", 60.0),
        ({"tpm": 10}, RateLimited, r"tokens a minute \(10\)", 60.0),
        ({"budget": Budget(amount=10, per="day")}, QuotaExhausted, "10 tokens a day", None),
    ],
)
def test_i6_a_limit_that_is_reached_is_told_with_the_time_it_lasts(
    shelf: Shelf, limits: dict[str, object], error: type[CapacityError], words: str, wait_s: float | None
) -> None:
    key = replace(KEY, **limits)  # type: ignore[arg-type]
    shelf.book.settle(shelf.book.admit(key, 5, is_running=True), ended(tokens=Usage(prompt=10)))

    with pytest.raises(error, match=words) as raised:
        shelf.book.admit(key, 5, is_running=True)

    assert raised.value.retry_after_s == pytest.approx(wait_s) if wait_s else raised.value.retry_after_s
    assert raised.value.hint.startswith("try again in")


def test_places_are_told_too(shelf: Shelf) -> None:
    key = replace(KEY, concurrency=1)
    admission = shelf.book.admit(key, 0, is_running=True)

    with pytest.raises(RateLimited, match=r"requests at one time \(1\)"):
        shelf.book.admit(key, 0, is_running=True)
    shelf.book.settle(admission, ended(went_out=False))
    shelf.book.admit(key, 0, is_running=True)


@pytest.mark.parametrize(
    ("exchange", "tokens"),
    [
        (ended(tokens=Usage(prompt=10, completion=5)), 15),
        (ended(tokens=Usage(completion=5, is_estimated=True)), 105),
        (ended(), 100),
        (ended(began=False), 0),
        (ended(went_out=False, began=False), 0),
    ],
    ids=["reported", "estimated", "unknown", "failed", "never sent"],
)
def test_what_counts_is_what_was_reported_and_else_the_size_of_the_request(
    shelf: Shelf, exchange: Exchange, tokens: int
) -> None:
    """Leaving before the count arrives must not make an answer free."""
    budget = Budget(amount=1000)
    shelf.book.settle(shelf.book.admit(replace(KEY, budget=budget), 100, is_running=True), exchange)

    assert shelf.book.allowances.spent("team", budget, shelf.clock.now()).tokens == tokens


async def test_counts_survive_that_the_file_is_read_again(shelf: Shelf) -> None:
    key = replace(KEY, budget=Budget(amount=10, per="day"), rpm=5)
    shelf.file.add(key)
    shelf.book.open()
    shelf.book.settle(shelf.book.admit(key, 0, is_running=True), ended(tokens=Usage(prompt=10)))

    shelf.file.change(["team"], lambda old: replace(old, rpm=6))
    await shelf.book.look()

    found = shelf.book.find(KEY.digest)
    assert found is not None
    assert found.rpm == 6
    with pytest.raises(QuotaExhausted):
        shelf.book.admit(found, 0, is_running=True)


async def test_the_names_of_keys_that_may_be_used_can_be_told(shelf: Shelf) -> None:
    now = shelf.clock.now()
    shelf.file.add(KEY)
    shelf.file.add(replace(KEY, name="gone", digest=digest_of("sk-gone"), revoked_at=now))
    shelf.file.add(replace(KEY, name="late", digest=digest_of("sk-late"), expires_at=now - 1))
    shelf.book.open()

    assert shelf.book.names_in_use() == ("team",)


async def test_a_key_made_anew_under_an_old_name_begins_with_nothing_used(shelf: Shelf) -> None:
    budget = Budget(amount=10)
    first = replace(KEY, created_at=shelf.clock.now(), budget=budget)
    shelf.file.add(first)
    shelf.book.open()
    shelf.book.settle(shelf.book.admit(first, 0, is_running=True), ended(tokens=Usage(completion=10)))

    shelf.file.change(["team"], lambda key: replace(key, digest=digest_of("sk-rotated")))
    await shelf.book.look()
    with pytest.raises(QuotaExhausted):
        shelf.book.admit(shelf.book.keys[0], 0, is_running=True)

    shelf.file.change(["team"], lambda key: replace(key, revoked_at=shelf.clock.now()))
    shelf.file.add(replace(first, digest=digest_of("sk-new"), created_at=shelf.clock.now() + 60))
    await shelf.book.look()
    shelf.book.admit(shelf.book.keys[0], 0, is_running=True)


def test_what_was_read_of_a_body_counts_where_it_declared_no_size(shelf: Shelf) -> None:
    exchange = ended(tokens=Usage(completion=5, is_estimated=True))
    exchange.bytes_in = 4000
    shelf.book.settle(shelf.book.admit(KEY, 0, is_running=True), exchange)

    assert shelf.book.allowances.spent("team", Budget(amount=1), shelf.clock.now()).tokens == 1005


def test_what_was_asked_for_the_sake_of_a_request_counts_even_when_it_failed(shelf: Shelf) -> None:
    key = replace(KEY, rpm=3)
    exchange = ended(went_out=False, began=False)
    exchange.requests_beside, exchange.usage_beside = 2, Usage(prompt=90, completion=10)
    shelf.book.settle(shelf.book.admit(key, 0, is_running=True), exchange)

    assert shelf.book.allowances.spent("team", Budget(amount=1), shelf.clock.now()).tokens == 100
    with pytest.raises(RateLimited):
        shelf.book.admit(key, 0, is_running=True)
