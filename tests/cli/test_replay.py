"""`replay`: from the command line to the exit code. What is sent is `flights/test_replaying.py`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.cli.flights.test_replaying import ask, scene
from tests.support.chat_stream import STREAM_BODY, delta, stream_of
from tests.support.cli import run_cli
from tests.support.flights import flight, record
from tests.support.ledgers import row


async def test_exit_code_0_is_the_same_and_1_is_not(tmp_path: Path) -> None:
    env = {"IFLOW2API_HOME": str(tmp_path)}
    async with scene(tmp_path, stream_of(), stream_of(), stream_of(delta("new"))) as gateway:
        await ask(gateway, STREAM_BODY)
        same = await asyncio.to_thread(run_cli, "replay", "first", env=env)
        other = await asyncio.to_thread(run_cli, "replay", "first", "--json", env=env)
    assert (same.code, same.err) == (0, "The same.\n")
    assert (other.code, other.json["differences"][:1], other.err) == (1, ["text"], "")


def test_without_contents_and_without_a_gateway_the_next_step_is_told(tmp_path: Path) -> None:
    env = {"IFLOW2API_HOME": str(tmp_path)}
    body = {"path": "/v1/chat/completions", "query": {}, "headers": {}, "fields": [], "cut": False, "bytes": 2}
    record(
        tmp_path / "usage.sqlite3",
        [
            (row(1), flight()),
            (row(2), flight(client_request={**body, "body": "{}"})),
        ],
    )
    (tmp_path / "config.toml").write_text("[server]\nport = 9\n")
    got = run_cli("replay", "1", env=env)
    assert (got.code, got.out) == (1, "")
    assert "config set recorder.contents true" in got.err
    got = run_cli("replay", "2", env=env)
    assert got.code == 1
    assert "iflow2api serve" in got.err
