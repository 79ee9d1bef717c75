"""SIGTERM and SIGINT (RELIABILITY L12, F60, R9): running answers end whole, new work is refused, exit 0 in time.

What a signal does is shown with a process of its own; what a drain does, with a server in this process.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.support.chat_stream import DONE, MODELS, WHOLE, get, request, stream_of
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, FrontDoor, front_door
from tests.support.patience import until
from tests.support.raw_client import Dial, RawClient, ask
from tests.support.raw_upstream import RawUpstream, Script, answer, flood, hang, sleep, wait_for
from tests.support.serving import Running, serving

STOPPING: Final = b'"code":"draining"'
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def gateway(upstream: RawUpstream, home: Path, **limits: float) -> Iterator[Running]:
    env = {f"IFLOW2API_SERVER_{name.upper()}": str(value) for name, value in limits.items()}
    with serving("--upstream", f"{upstream.url}/v1", home=home, env=env) as running:
        yield running


def port_of(running: Running) -> int:
    return int(running.url.rpartition(":")[2])


async def exit_of(running: Running, within_s: float) -> int:
    """The exit code; fails when the process is still there after `within_s`."""
    async with asyncio.timeout(within_s):
        return await asyncio.to_thread(running.process.wait)


async def opened(dial: Dial, port: int, body: bytes | None = None) -> RawClient:
    """A client whose stream has shown its first word."""
    client = await dial(port)
    await client.send(request() if body is None else request(body))
    await client.reader.readuntil(b"first")
    return client


async def until_refused(dial: Dial, port: int) -> None:
    """Wait until nobody listens any more."""
    with suppress(ConnectionError):
        async with asyncio.timeout(1.0):
            while True:
                await dial(port)
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_running_answers_end_whole_and_then_the_process_leaves(
    dial: Dial, number: signal.Signals, tmp_path: Path
) -> None:
    goes_on = asyncio.Event()
    json_answer: Script = [wait_for(goes_on), GOOD_ANSWER]
    stream = stream_of(wait_for(goes_on))
    async with RawUpstream([answer(MODELS)], stream, stream, json_answer) as upstream:
        with gateway(upstream, tmp_path) as running:
            port = port_of(running)
            await upstream.got(1)
            streams = [await opened(dial, port), await opened(dial, port)]
            waiting = await dial(port)
            await waiting.send(request(GOOD_BODY))
            await upstream.got(4)
            idle = await dial(port)
            await idle.send(get(b"/health"))
            assert (await idle.answer()).status == 200

            running.process.send_signal(number)

            assert await idle.is_closed_by_peer()
            with pytest.raises(ConnectionRefusedError):
                await dial(port)
            goes_on.set()
            for stream_client in streams:
                rest = await stream_client.rest()
                assert b"last" in rest
                assert DONE in rest
                assert rest.endswith(WHOLE)
            whole = await waiting.answer()
            assert (whole.status, whole.headers["connection"]) == (200, "close")
            assert await exit_of(running, 1.0) == 0
        assert "Traceback" not in running.log.read_text()


async def test_a_stream_longer_than_the_drain_is_told_and_ended_properly(dial: Dial, tmp_path: Path) -> None:
    async with RawUpstream([answer(MODELS)], stream_of(hang), [hang]) as upstream:
        with gateway(upstream, tmp_path, drain_s=0.3) as running:
            await upstream.got(1)
            client = await opened(dial, port_of(running))
            waiting = await dial(port_of(running))
            await waiting.send(request(GOOD_BODY))
            await upstream.got(3)

            running.process.terminate()

            rest, refused = await client.rest(), await waiting.answer()
            assert STOPPING in rest
            assert DONE not in rest
            assert rest.endswith(WHOLE)
            assert (refused.status, refused.headers["connection"]) == (503, "close")
            assert STOPPING in refused.body
            assert refused.headers["retry-after"]
            assert await exit_of(running, 1.0) == 0


async def test_a_second_signal_leaves_at_once(dial: Dial, tmp_path: Path) -> None:
    async with RawUpstream([answer(MODELS)], stream_of(hang)) as upstream:
        with gateway(upstream, tmp_path, drain_s=30) as running:
            await upstream.got(1)
            client = await opened(dial, port_of(running))
            running.process.terminate()
            await until_refused(dial, port_of(running))

            running.process.terminate()

            rest = await client.rest()
            assert STOPPING in rest
            assert rest.endswith(WHOLE)
            assert await exit_of(running, 1.0) == 0


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_an_idle_server_is_gone_in_a_moment(dial: Dial, number: signal.Signals, tmp_path: Path) -> None:
    async with RawUpstream([hang]) as upstream:
        with gateway(upstream, tmp_path) as running:
            idle = await dial(port_of(running))
            await upstream.got(1)  # the list of models is being asked for and never comes
            began = time.monotonic()

            running.process.send_signal(number)

            assert await exit_of(running, 1.0) == 0
            assert time.monotonic() - began < 0.5
            assert await idle.is_closed_by_peer()


# --- in this process ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def draining(door: FrontDoor) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.get_running_loop().create_task(door.server.drain())
    await until(lambda: door.server.state.is_draining)
    try:
        yield task
    finally:
        door.server.stop()
        door.server.stop()
        await task


async def test_a_load_balancer_hears_it_before_the_port_closes(dial: Dial) -> None:
    async with front_door(drain_delay_s=30.0) as door:
        kept = await dial(door.port)
        await kept.send(get(b"/ready"))
        assert (await kept.answer()).status == 200
        async with draining(door):
            ready = await ask(door.port, get(b"/ready"))
            assert ready.status == 503
            assert ready.json["reason"] == "draining"  # type: ignore[index,call-overload]
            assert (await ask(door.port, get(b"/health"))).status == 200

            await kept.send(request(GOOD_BODY))
            refused = await kept.answer()
            assert refused.status == 503
            assert STOPPING in refused.body
            assert refused.headers["connection"] == "close"
            assert refused.headers["retry-after"] == "1"
            assert await kept.is_closed_by_peer()
            assert door.served == 0


async def test_a_stream_begun_while_the_port_is_still_open_ends_whole(dial: Dial) -> None:
    goes_on = asyncio.Event()
    async with front_door(stream_of(wait_for(goes_on)), drain_s=5.0) as door:
        client = await opened(dial, door.port)
        async with draining(door) as task:
            await asyncio.sleep(0.05)
            assert not task.done()
            goes_on.set()
            assert (await client.rest()).endswith(WHOLE)
            await task


async def test_an_answer_that_is_read_slowly_is_read_to_its_end(dial: Dial) -> None:
    """The upstream is done and the handler too; the last bytes still wait for a client with little room."""
    piece = b"data: " + b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}' % (b"x" * 20_000) + b"\n\n"
    chunked = b"%x\r\n%b\r\n" % (len(piece), piece)
    async with front_door(stream_of(flood(chunked, 400)), drain_s=5.0) as door:
        client = await opened(dial, door.port)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)
        async with draining(door) as task:
            await asyncio.sleep(0.1)
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            rest = await client.rest()
            assert DONE in rest
            assert rest.endswith(WHOLE)
            await task


async def test_a_client_that_reads_nothing_does_not_hold_the_drain(dial: Dial) -> None:
    async with front_door(stream_of(flood(b"5\r\n: hi\n\r\n" * 20_000, 400), sleep(30)), drain_s=0.2) as door:
        client = await opened(dial, door.port)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        began = time.monotonic()

        await door.server.drain()

        assert time.monotonic() - began < 0.2 + 1.0


async def test_a_body_still_arriving_gets_an_answer_too(dial: Dial) -> None:
    async with front_door(drain_s=0.1) as door:
        client = await dial(door.port)
        await client.send(request(GOOD_BODY)[:-5])
        await until(lambda: len(door.server.state.in_flight) == 1)
        async with draining(door) as task:
            refused = await client.answer()
            assert refused.status == 503
            assert STOPPING in refused.body
            await task


async def test_draining_frees_everything(dial: Dial) -> None:
    async with front_door(stream_of(hang), stream_of(hang), drain_s=0.05) as door:
        for _ in range(2):
            await opened(dial, door.port)

        await door.server.drain()

        assert not door.server.state.in_flight
        assert not door.server.state.answers
        assert door.listener.connections == 0
        assert [standing.in_flight for standing in door.server._services.pool.standings()] == [0]
        await until(lambda: all(connection.closed_at is not None for connection in door.upstream.connections))
