"""The ledger of a running server. How rows are written is `state/test_ledger.py`."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.flight import Flight, begun
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.client_key import Budget, ClientKey
from iflow_cli_proxy.server.books import Books
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.state.flight_queries import find
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import recent
from iflow_cli_proxy.state.ledger_row import Row
from tests.support.fake_clock import FakeClock
from tests.support.wiring import services

MONTHLY = Budget(amount=100, unit="tokens", per="month")
OFF = "[ledger]\nenabled = false\n"
PRICES = '[[prices]]\nmodel = "m"\nprompt = 2.0\ncompletion = 2.0\ncurrency = "USD"\n'


def exchange(**fields: object) -> Exchange:
    made = Exchange(request_id="req_1", protocol="openai_chat", started_at=0.0, asked="m", route="up/m")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def flight() -> Flight:
    return begun("POST", "/v1/chat/completions", {}, {})


def rows(home: Path) -> list[Row]:
    connection = open_reader(home / "usage.sqlite3")
    assert connection is not None
    try:
        return recent(connection, 10)
    finally:
        connection.close()


def books(home: Path, text: str = "", clock: FakeClock | None = None) -> Books:
    return Books(services(text, home, clock=clock or FakeClock()))


async def test_every_exchange_is_a_row_after_a_clean_stop(tmp_path: Path) -> None:
    it = books(tmp_path)
    await it.open(KeyBook())
    it.note(exchange(usage=Usage(prompt=5)))
    await it.aclose()

    assert [(row.model_asked, row.prompt) for row in rows(tmp_path)] == [("m", 5)]
    it.note(exchange())
    await it.aclose()
    assert len(rows(tmp_path)) == 1, "nothing is written after the end"


async def test_where_it_is_switched_off_there_is_no_file(tmp_path: Path) -> None:
    it = books(tmp_path, OFF)
    await it.open(KeyBook())
    it.note(exchange())
    await it.aclose()

    assert not (tmp_path / "usage.sqlite3").exists()
    assert not it.is_refusing


async def test_a_key_s_budget_goes_on_where_the_last_process_left_it(tmp_path: Path) -> None:
    clock = FakeClock()
    first = books(tmp_path, clock=clock)
    await first.open(KeyBook())
    first.note(exchange(client="alice", usage=Usage(prompt=900)))
    clock.advance(40 * 86_400.0)
    first.note(exchange(client="alice", usage=Usage(prompt=70)))
    await first.aclose()
    keys = KeyBook(clock=clock)

    second = books(tmp_path, clock=clock)
    await second.open(keys)
    await second.aclose()

    assert keys.allowances.spent("alice", MONTHLY, clock.now()).tokens == 70


async def test_a_key_does_not_inherit_what_its_namesake_used(tmp_path: Path) -> None:
    clock = FakeClock()
    first = books(tmp_path, clock=clock)
    await first.open(KeyBook())
    first.note(exchange(client="alice", usage=Usage(prompt=900)))
    await first.aclose()
    clock.advance(60.0)
    keys = KeyBook(clock=clock)
    keys.keys = (ClientKey(name="alice", digest=b"", budget=MONTHLY, created_at=clock.now()),)

    second = books(tmp_path, clock=clock)
    await second.open(keys)
    assert keys.allowances.spent("alice", MONTHLY, clock.now()).tokens == 0
    second.note(exchange(client="alice", usage=Usage(prompt=7)))
    await second.aclose()
    third = books(tmp_path, clock=clock)
    await third.open(keys)
    await third.aclose()

    assert keys.allowances.spent("alice", MONTHLY, clock.now()).tokens == 7


async def test_a_damaged_ledger_costs_no_start(tmp_path: Path) -> None:
    (tmp_path / "usage.sqlite3").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    it = books(tmp_path)
    await it.open(KeyBook())
    it.note(exchange())
    await asyncio.sleep(0)
    await it.aclose()

    assert len(rows(tmp_path)) == 1


async def test_what_a_request_cost_is_told_in_dollars(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    it = books(tmp_path)

    assert it.cost_of(exchange(usage=Usage(prompt=500_000))) == 1.0
    beside = exchange(usage=Usage(prompt=50_000))
    assert it.cost_of(exchange(usage=Usage(prompt=500_000), beside=[beside])) == 1.1


async def test_readers_are_told_of_every_row_even_where_no_ledger_is_kept(tmp_path: Path) -> None:
    it, read = books(tmp_path, OFF), list[Row]()
    it.readers.append(read.append)
    await it.open(KeyBook())
    it.note(exchange(usage=Usage(prompt=5)))
    await it.aclose()

    assert [(row.model_asked, row.prompt) for row in read] == [("m", 5)]


async def test_of_a_busy_second_only_so_many_good_flights_are_kept_but_every_row(tmp_path: Path) -> None:
    it = books(tmp_path, "[recorder]\ngood_per_s = 2\n")
    await it.open(KeyBook())
    for number in range(5):
        it.note(exchange(request_id=f"good_{number}", flight=flight()))
    it.note(exchange(request_id="bad", status=502, error_kind="unreachable", flight=flight()))
    await it.aclose()

    connection = open_reader(tmp_path / "usage.sqlite3")
    assert connection is not None
    with closing(connection):
        kept = [row.request_id for row in recent(connection, 10)[::-1]]
        told = [name for name in kept if (found := find(connection, name)) and found.flight]
    assert kept == [*(f"good_{number}" for number in range(5)), "bad"]
    assert told == ["good_0", "good_1", "bad"]
