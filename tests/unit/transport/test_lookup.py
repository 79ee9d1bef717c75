from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from iflow_cli_proxy.transport.lookup import Lookups


async def test_a_name_becomes_the_addresses_the_system_knows() -> None:
    (found,) = await Lookups().resolve("127.0.0.1", 80)

    assert (found["host"], found["port"], found["family"]) == ("127.0.0.1", 80, socket.AF_INET)


async def test_a_name_nobody_knows_is_an_error() -> None:
    with pytest.raises(socket.gaierror):
        await Lookups().resolve("no-such-name.invalid", 80)


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "..example", "\udcff.example"])
async def test_a_name_that_is_none_is_an_error_too(name: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        await Lookups().resolve(name, 80)


async def test_lookups_that_never_end_hold_up_neither_each_other_nor_the_loops_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    answered = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    def slow(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "slow.example":
            let_go.wait()
        return answered

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = Lookups()
    stuck = [asyncio.ensure_future(resolver.resolve("slow.example", 80)) for _ in range(40)]
    try:
        async with asyncio.timeout(2):
            assert (await resolver.resolve("quick.example", 80))[0]["host"] == "192.0.2.1"
            assert await asyncio.to_thread(lambda: "at once") == "at once"
        assert not any(task.done() for task in stuck)
        for task in stuck[1:]:
            task.cancel()
        let_go.set()
        assert (await stuck[0])[0]["host"] == "192.0.2.1"
    finally:
        let_go.set()


def test_nobody_waits_for_a_lookup_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: let_go.wait())

    async def give_up() -> None:
        async with asyncio.timeout(0.01):
            await Lookups().resolve("slow.example", 80)

    try:
        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
        lookups = [thread for thread in threading.enumerate() if thread.name == "lookup"]
        assert lookups
        assert all(thread.daemon for thread in lookups)
    finally:
        let_go.set()
