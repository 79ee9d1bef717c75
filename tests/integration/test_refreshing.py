"""Refreshes across processes, and processes that die in the middle of one, against a server that rotates.

RELIABILITY R11, R12, F49, F50, F52, I58, I59.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount, Tokens
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.saved_accounts import saved_account

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no fork there")

KILLS: Final = 50
A_DAY_S: Final = 86_400.0
SCRIPT: Final = Path(__file__).parents[1] / "support" / "refreshers.py"
HOLDER: Final = """
import sys, pathlib
from iflow_cli_proxy.state.lock import FileLock
with FileLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class RotatingServer:
    """Each refresh token works once; the one before the newest still gets the same answer again, as after a lost one.

    Any older one revokes the whole family, as a server does that suspects a thief.
    """

    def __init__(self) -> None:
        self.newest = 0
        self.calls = 0
        self.key_calls = 0
        self.is_revoked = False
        self.pause_s = 0.0

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/token", self._token), web.get("/key", self._key)])
        return app

    def tokens(self) -> Tokens:
        return Tokens(access_token=Secret(f"at-{self.newest}"), refresh_token=Secret(f"rt-{self.newest}"))

    async def _token(self, request: web.Request) -> web.Response:
        self.calls += 1
        shown = str((await request.post())["refresh_token"])
        await asyncio.sleep(self.pause_s)
        if shown == f"rt-{self.newest}":
            self.newest += 1
        elif shown != f"rt-{self.newest - 1}":
            self.is_revoked = True
        if self.is_revoked:
            return web.json_response({"error": "invalid_grant"}, status=400)
        tokens = {"access_token": f"at-{self.newest}", "refresh_token": f"rt-{self.newest}", "expires_in": 3600}
        return web.json_response(tokens)

    async def _key(self, request: web.Request) -> web.Response:
        self.key_calls += 1
        shown = request.query["token"]
        return web.Response(text=shown.replace("at-", "sk-"), status=200 if shown == f"at-{self.newest}" else 401)


class Refreshers:
    """The parent of all processes that refresh."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(jsonx.encode(order) + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        result: dict[str, Any] = jsonx.decode(line)
        return result


@pytest.fixture
def server() -> RotatingServer:
    return RotatingServer()


@pytest.fixture
def store(tmp_path: Path, server: RotatingServer) -> AccountStore:
    """With one account whose tokens ran out long ago."""
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    expired = replace(server.tokens(), expires_at=1_700_000_000.0)
    store.create(saved_account(tokens=expired, api_key=Secret("sk-0"), refreshed_at=None))
    return store


@pytest.fixture
async def refreshers(server: RotatingServer, store: AccountStore, tmp_path: Path) -> AsyncIterator[Refreshers]:
    async with TestServer(server.app(), host="127.0.0.1") as listening:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, SCRIPT, tmp_path / "accounts", str(listening.make_url("")).rstrip("/")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        yield Refreshers(process)
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 10) == 0


def lies_there(store: AccountStore) -> SavedAccount:
    loaded = store.load()
    assert loaded.damaged == ()
    (account,) = loaded.accounts
    assert account.tokens is not None
    return account


def is_whole(account: SavedAccount, number: int) -> bool:
    """Both tokens and the key are of one and the same refresh."""
    assert account.tokens is not None
    held = (account.tokens.access_token, account.tokens.refresh_token, account.api_key)
    return held == tuple(Secret(f"{kind}-{number}") for kind in ("at", "rt", "sk"))


async def test_f50_twenty_processes_that_refresh_at_once_make_one_call_and_all_get_the_new_key(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers
) -> None:
    result = await refreshers.run(processes=20)

    assert [told["bearers"] for told in result["told"]] == [["sk-1"]] * 20
    assert (server.calls, server.key_calls) == (1, 1)
    assert is_whole(lies_there(store), 1)


async def test_i58_two_hundred_callers_in_four_processes_make_one_call(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers
) -> None:
    result = await refreshers.run(processes=4, tasks=50, seen="sk-0")

    assert [told["bearers"] for told in result["told"]] == [["sk-1"]] * 4
    assert [told["errors"] for told in result["told"]] == [[]] * 4
    assert (server.calls, server.key_calls, server.is_revoked) == (1, 1, False)


async def test_f52_a_process_killed_at_any_point_of_a_refresh_loses_no_token(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers
) -> None:
    """Each round is a day later, so that the account is due; fifty random points, and the story goes on each time."""
    counted = await refreshers.run(dies_at=0)
    steps = counted["told"][0]["steps"]
    points = random.Random(11)
    killed = 0
    found: set[str] = set()
    for number in range(1, KILLS + 1):
        later_s = number * A_DAY_S
        before = server.newest
        result = await refreshers.run(later_s=later_s, dies_at=points.randint(1, steps))
        killed += result["killed"]
        left = lies_there(store)
        assert left.tokens is not None
        assert left.tokens.refresh_token.reveal() in (f"rt-{before}", f"rt-{server.newest}")
        assert server.newest <= before + 1
        found.add(_how_far(left, before, server.newest))

        after = await refreshers.run(later_s=later_s)

        assert after["told"] == [{"bearers": [f"sk-{server.newest}"], "errors": [], "steps": 0}]
        assert is_whole(lies_there(store), server.newest)
        assert server.newest == before + 1
    assert not server.is_revoked
    assert killed > KILLS * 0.8
    assert len(found) >= 3, found


def _how_far(left: SavedAccount, before: int, newest: int) -> str:
    if is_whole(left, before):
        return "nothing happened" if newest == before else "rotated, not saved"
    return "saved whole" if is_whole(left, newest) else "saved without its key"


async def test_i59_a_lock_file_left_behind_is_no_lock(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers, tmp_path: Path
) -> None:
    (tmp_path / "accounts" / "one.json.lock").write_text("4711")

    assert (await refreshers.run())["told"][0]["bearers"] == ["sk-1"]


@pytest.mark.parametrize("ends_by", ["leaving", "dying"])
async def test_i59_the_owner_of_the_lock_is_waited_for_until_it_leaves_or_dies(
    ends_by: str, server: RotatingServer, store: AccountStore, refreshers: Refreshers, tmp_path: Path
) -> None:
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, tmp_path / "accounts" / "one.json"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    refreshing = asyncio.ensure_future(refreshers.run())
    await asyncio.sleep(0.3)
    assert server.calls == 0

    holder.stdin.close() if ends_by == "leaving" else holder.send_signal(signal.SIGKILL)

    assert (await refreshing)["told"][0]["bearers"] == ["sk-1"]
    await holder.wait()


async def test_i59_where_no_lock_can_be_made_nobody_is_called_and_the_account_fails_alone(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers, tmp_path: Path
) -> None:
    lock = tmp_path / "accounts" / "one.json.lock"
    lock.unlink()
    lock.mkdir()

    told = (await refreshers.run())["told"][0]

    assert told["bearers"] == []
    assert told["errors"][0].startswith("StateError: A lock file could not be made")
    assert server.calls == 0
    lock.rmdir()
    assert is_whole(lies_there(store), 0)


async def test_a_refresh_that_outlives_its_caller_in_another_process_is_waited_for(
    server: RotatingServer, store: AccountStore, refreshers: Refreshers
) -> None:
    """A slow server: the second process waits at the lock and finds the first one's answer."""
    server.pause_s = 0.5

    result = await refreshers.run(processes=2)

    assert [told["bearers"] for told in result["told"]] == [["sk-1"]] * 2
    assert server.calls == 1
