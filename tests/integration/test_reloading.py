"""Changed settings while serving (RELIABILITY R10, F60): a whole new tree or none at all, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.chat_stream import DONE, MODELS, WHOLE, request, stream_of
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY
from tests.support.raw_client import Dial, ask
from tests.support.raw_upstream import RawUpstream, answer, wait_for
from tests.support.serving import Running, serving

PATIENCE_S = 10.0


@dataclass
class Gateway:
    """A process of its own with a config file that tests rewrite."""

    running: Running
    config: Path

    @property
    def port(self) -> int:
        return int(self.running.url.rpartition(":")[2])

    def write(self, upstream: RawUpstream, more: str = "") -> None:
        self.config.write_text(table(upstream, more))

    def hang_up(self) -> None:
        self.running.process.send_signal(signal.SIGHUP)

    async def says(self, *words: str, times: int = 1) -> str:
        """Wait until so many lines of the log hold all the words; the last of them."""
        ends_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_at:
            lines = self.running.log.read_text().splitlines()
            found = [line for line in lines if all(word in line for word in words)]
            if len(found) >= times:
                return found[-1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"the log never said {words}:\n" + self.running.log.read_text())

    async def status(self, body: bytes = GOOD_BODY) -> int:
        return (await ask(self.port, request(body))).status


def table(upstream: RawUpstream, more: str = "") -> str:
    return f"""
{more}
[routing]
default_provider = "up"
[providers.up]
kind = "openai_compatible"
base_url = "{upstream.url}/v1"
"""


@contextmanager
def gateway(home: Path, upstream: RawUpstream, more: str = "") -> Iterator[Gateway]:
    config = home / "config.toml"
    config.write_text(table(upstream, more))
    with serving("--quiet", home=home) as running:
        yield Gateway(running, config)


@pytest.fixture
async def first() -> AsyncIterator[RawUpstream]:
    async with RawUpstream([answer(MODELS)], [GOOD_ANSWER]) as upstream:
        yield upstream


@pytest.fixture
async def second() -> AsyncIterator[RawUpstream]:
    async with RawUpstream([GOOD_ANSWER]) as upstream:
        yield upstream


async def test_a_hangup_and_a_saved_file_both_change_the_upstream_of_the_next_request(
    tmp_path: Path, first: RawUpstream, second: RawUpstream
) -> None:
    with gateway(tmp_path, first) as running:
        await first.got(1)
        assert await running.status() == 200

        running.write(second)
        running.hang_up()
        await running.says("settings taken up", "providers.up.base_url")
        assert await running.status() == 200
        assert (len(first.requests), len(second.requests)) == (2, 1)

        running.write(first)  # nobody says anything; the file is looked at
        await running.says("settings taken up", "providers.up.base_url", times=2)
        assert await running.status() == 200
        assert (len(first.requests), len(second.requests)) == (3, 1)


BROKEN = {
    "not TOML": ("[server\nport = 1", "config.toml:2"),
    "unknown key": ("[server]\nhorst = 1", "horst", "host"),
    "wrong type": ("[server]\ndrain_s = 'soon'", "drain_s", "config.toml:3"),
    "out of range": ("[server]\nport = 70000", "server.port", "config.toml:3"),
    "no such authority file": ('[upstream]\nca_file = "/nonexistent/ca.pem"', "ca_file"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_file_changes_nothing_and_is_named(
    tmp_path: Path, first: RawUpstream, second: RawUpstream, case: str
) -> None:
    more, *words = BROKEN[case]
    with gateway(tmp_path, first) as running:
        await first.got(1)

        running.write(second, more)
        running.hang_up()

        await running.says("the settings stay as they were", *words)
        assert await running.status() == 200
        assert (len(first.requests), len(second.requests)) == (2, 0)

        running.write(second)
        running.hang_up()
        await running.says("settings taken up")
        assert await running.status() == 200
        assert len(second.requests) == 1


async def test_a_running_stream_ends_as_it_began(tmp_path: Path, dial: Dial, second: RawUpstream) -> None:
    goes_on = asyncio.Event()
    async with RawUpstream([answer(MODELS)], stream_of(wait_for(goes_on))) as upstream:
        with gateway(tmp_path, upstream) as running:
            await upstream.got(1)
            client = await dial(running.port)
            await client.send(request())
            await client.reader.readuntil(b"first")

            running.write(second, "[server]\nkeepalive_s = 0.01\nwrite_timeout_s = 0.01")
            running.hang_up()
            await running.says("settings taken up", "keepalive_s")
            await asyncio.sleep(0.1)
            goes_on.set()

            rest = await client.rest_of_answer(WHOLE)
            assert b"last" in rest
            assert DONE in rest
            assert b": ping" not in rest
            assert await running.status() == 200
            assert len(second.requests) == 1


async def test_the_log_level_is_taken_up_and_the_log_file_waits(tmp_path: Path, first: RawUpstream) -> None:
    with gateway(tmp_path, first, '[logging]\nlevel = "warning"') as running:
        await first.got(1)
        assert await running.status() == 200
        assert "POST" not in running.running.log.read_text()

        running.write(first, '[logging]\nlevel = "info"\nfile = "new.log"')
        running.hang_up()

        await running.says("wait for a restart", "logging.file")
        assert await running.status() == 200
        await running.says("POST /v1/chat/completions 200")


async def test_an_address_waits_for_a_restart_and_says_so(tmp_path: Path, first: RawUpstream) -> None:
    with gateway(tmp_path, first) as running:
        await first.got(1)
        running.write(first, '[server]\nhost = "127.0.0.2"\ndrain_s = 2')
        running.hang_up()

        line = await running.says("wait for a restart", "server.host")

        assert "drain_s" not in line
        assert await running.status() == 200


async def test_twenty_reloads_under_load_lose_nothing(tmp_path: Path, first: RawUpstream, second: RawUpstream) -> None:
    statuses: list[int] = []
    is_over = False

    async def keep_asking(running: Gateway) -> None:
        while not is_over:
            statuses.append(await running.status())

    with gateway(tmp_path, first) as running:
        await first.got(1)
        askers = [asyncio.ensure_future(keep_asking(running)) for _ in range(4)]
        for number in range(20):
            running.write((second, first)[number % 2], f"[server]\ndrain_s = {number}")
            running.hang_up()
            await running.says("settings taken up", times=number + 1)
        is_over = True
        await asyncio.gather(*askers)

    assert len(statuses) > 20
    assert set(statuses) == {200}
    assert len(first.requests) - 1 + len(second.requests) == len(statuses)
    assert second.requests


KEY = "sk-team-0123456789abcdef"


def public(upstream: RawUpstream) -> str:
    """The door stands open to everyone's address, and asks for a key."""
    return table(upstream, f'[server]\nhost = "0.0.0.0"\n[auth]\nclient_keys = ["{KEY}"]')


async def models_status(running: Gateway) -> int:
    return (await ask(running.port, b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")).status


@pytest.mark.parametrize("case", ["host and keys left out", "keys left out", "never", "the file is gone"])
async def test_no_reload_switches_the_keys_of_an_open_address_off(
    tmp_path: Path, first: RawUpstream, case: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(public(first))
    with serving("--quiet", home=tmp_path) as started:
        running = Gateway(started, config)
        await first.got(1)
        assert await models_status(running) == 401

        match case:
            case "host and keys left out":
                running.write(first)
            case "keys left out":
                running.write(first, '[server]\nhost = "0.0.0.0"')
            case "never":
                running.write(first, '[auth]\nrequired = "never"')
            case _:
                config.unlink()
        running.hang_up()

        await running.says("the settings stay as they were")
        assert await models_status(running) == 401


async def test_a_host_that_is_left_out_waits_and_the_keys_are_asked_for_on(tmp_path: Path, first: RawUpstream) -> None:
    config = tmp_path / "config.toml"
    config.write_text(public(first))
    with serving("--quiet", home=tmp_path) as started:
        running = Gateway(started, config)
        await first.got(1)

        running.write(first, f'[auth]\nclient_keys = ["{KEY}"]')
        running.hang_up()

        await running.says("wait for a restart", "server.host")
        assert await models_status(running) == 401


async def test_changed_model_data_is_taken_up_by_itself_and_damaged_data_is_named(
    tmp_path: Path, first: RawUpstream
) -> None:
    with gateway(tmp_path, first, '[providers.vendor]\nkind = "iflow"\napi_key = "sk-0123456789abcdef"') as running:
        await first.got(1)
        (tmp_path / "models").mkdir()
        data = tmp_path / "models" / "iflow.toml"
        data.write_text("[[models]]\nid = 'mine-alone'\n")

        await running.says("read again")
        answer = await ask(running.port, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"mine-alone" in answer.body

        data.write_bytes(b"\xff")
        running.hang_up()
        await running.says("the settings stay as they were", "iflow.toml")
        assert await running.status() == 200


async def test_connections_of_old_options_serve_their_stream_to_its_end(
    tmp_path: Path, dial: Dial, second: RawUpstream
) -> None:
    """Two changes of the options while a stream runs: what it uses is neither the present nor the previous."""
    goes_on = asyncio.Event()
    async with RawUpstream([answer(MODELS)], stream_of(wait_for(goes_on))) as upstream:
        with gateway(tmp_path, upstream) as running:
            await upstream.got(1)
            client = await dial(running.port)
            await client.send(request())
            await client.reader.readuntil(b"first")

            for number, limit_s in enumerate((1, 2, 3), 1):
                running.write(second, f"[upstream]\nconnect_timeout_s = {limit_s}")
                running.hang_up()
                await running.says("settings taken up", times=number)
            await asyncio.sleep(0.7)
            goes_on.set()

            rest = await client.rest_of_answer(WHOLE)
            assert b"last" in rest
            assert DONE in rest
            assert await running.status() == 200
