"""Clients that read slowly, or not at all, or leave (RELIABILITY L6, L7, F47, R5, R7, R8); pings for the others."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.support.chat_stream import DONE, MODELS, WHOLE, delta, get, request, stream_of
from tests.support.front_door import GOOD_BODY, FrontDoor, front_door
from tests.support.patience import until
from tests.support.raw_client import Dial, RawClient
from tests.support.raw_upstream import RawUpstream, answer, chunk, event, flood, hang, sleep, stream_head
from tests.support.serving import serving

FRAME: Final = event('{"choices":[{"index":0,"delta":{"content":"%s"}}]}' % ("x" * 10_000))
FLOOD: Final = stream_of(flood(FRAME, 10_000), hang)
"""100 MB: more than all kernel buffers on the way together."""
BIG_REPLY: Final = answer(
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"%b"},"finish_reason":"stop"}]}' % (b"x" * (20 << 20))
)
STALLED_STREAMS: Final = 16
BATCHES: Final = 3
KEPT_BYTES: Final = 256 * 1024


async def ask_and_stop_reading(dial: Dial, door: FrontDoor, data: bytes) -> RawClient:
    client = await dial(door.port)
    await client.send(data)
    await client.reader.readexactly(15)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return client


async def is_cut(client: RawClient) -> bool:
    """Whether the connection ended before the answer did."""
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    return not (await client.rest()).endswith((WHOLE, b"}"))


def is_free(door: FrontDoor) -> bool:
    pool = door.server._services.pool
    return not door.server.state.in_flight and not any(standing.in_flight for standing in pool.standings())


def upstream_is_left(door: FrontDoor) -> bool:
    return all(connection.closed_at is not None for connection in door.upstream.connections)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_a_reader_that_stopped_costs_little_and_stops_the_upstream(dial: Dial, tmp_path: Path) -> None:
    """L7, with a process of its own so that only the gateway's memory is counted.

    What each stream costs shows in every batch; what the process or the system took once, some megabytes at times,
    shows in one of them. So the cheapest batch is the one that tells.
    """
    async with RawUpstream([answer(MODELS)], FLOOD) as upstream:
        with serving(
            "--upstream", f"{upstream.url}/v1", home=tmp_path, env={"IFLOW2API_SERVER_DRAIN_S": "0"}
        ) as running:
            await upstream.got(1)
            port = int(running.url.rpartition(":")[2])
            await stall(dial, port, 4)  # the first ones pay for what all share
            await settled(upstream)
            resident = [resident_bytes(running.process.pid)]

            for _ in range(BATCHES):
                await stall(dial, port, STALLED_STREAMS)
                sent = await settled(upstream)
                resident.append(resident_bytes(running.process.pid))

            grown = [after - before for before, after in pairwise(resident)]
            assert min(grown) / STALLED_STREAMS < KEPT_BYTES
            assert sent < (4 + BATCHES * STALLED_STREAMS) * (20 << 20)


async def stall(dial: Dial, port: int, count: int) -> None:
    """Streams whose clients take a few bytes and no more."""
    for _ in range(count):
        client = await dial(port)
        await client.send(request())
        await client.reader.readexactly(15)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]


async def settled(upstream: RawUpstream) -> int:
    """How many bytes went out once no more go."""
    sent = -1
    while sent != (sent := sum(connection.sent_bytes for connection in upstream.connections)):  # noqa: ASYNC110
        await asyncio.sleep(0.3)
    return sent


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("script", "data"),
    [(FLOOD, request()), ([BIG_REPLY], request(GOOD_BODY))],
    ids=["stream", "one JSON body"],
)
async def test_a_client_that_takes_nothing_is_cut_off(dial: Dial, script: list[bytes], data: bytes) -> None:
    async with front_door(script, write_timeout_s=0.3) as door:
        client = await ask_and_stop_reading(dial, door, data)
        began = time.monotonic()

        await until(lambda: is_free(door) and not door.listener.connections)

        assert 0.3 <= time.monotonic() - began < 1.3
        assert await is_cut(client)
        assert await door.is_well()


async def test_a_client_that_leaves_its_last_bytes_lying_is_cut_off_too(dial: Dial) -> None:
    """The handler is long done when this is noticed."""
    frames = stream_of(flood(FRAME, 10_000))
    async with front_door(frames, write_timeout_s=0.3) as door:
        client = await dial(door.port)
        small = client.writer.get_extra_info("socket")
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await client.send(request())
        while door.server.state.in_flight:
            await client.reader.read(1 << 20)
            await asyncio.sleep(0)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]

        await until(lambda: not door.listener.connections or upstream_is_left(door))
        assert is_free(door)


async def test_a_client_that_asks_and_asks_and_never_reads_is_cut_off(dial: Dial) -> None:
    """Small answers add up as well: one that pipelines without reading holds no connection for ever."""
    async with front_door(write_timeout_s=0.3) as door:
        client = await dial(door.port)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(4):
            client.writer.write(get(b"/v1/models/" + b"x" * 2000) * 10_000)

        await until(lambda: not door.listener.connections)
        assert await door.is_well()


async def test_a_client_that_takes_a_little_now_and_then_is_not_cut_off(dial: Dial) -> None:
    async with front_door(stream_of(flood(FRAME, 2_000)), write_timeout_s=0.4) as door:
        client = await ask_and_stop_reading(dial, door, request())
        transport = client.writer.transport
        for _ in range(8):  # twice the limit in all
            await asyncio.sleep(0.1)
            transport.resume_reading()  # type: ignore[attr-defined]
            await client.reader.readexactly(1 << 20)
            transport.pause_reading()  # type: ignore[attr-defined]

        transport.resume_reading()  # type: ignore[attr-defined]
        rest = await client.rest_of_answer(WHOLE)
        assert DONE in rest


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize(
    ("script", "data"),
    [
        ([hang], request()),
        (stream_of(hang), request()),
        (FLOOD, request()),
        ([hang], request(GOOD_BODY)),
    ],
    ids=["before the first word", "in silence", "in a flood", "waiting for JSON"],
)
async def test_leaving_frees_everything_at_once(dial: Dial, script: list[bytes], data: bytes, how: str) -> None:
    """L6, F47."""
    async with front_door(script) as door:
        client = await dial(door.port)
        await client.send(data)
        await door.upstream.got(1)
        await asyncio.sleep(0.1)
        began = time.monotonic()

        if how == "RST":
            linger = struct.pack("ii", 1, 0)
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.writer.transport.abort()
        else:
            client.close()

        await until(lambda: is_free(door) and upstream_is_left(door))
        assert time.monotonic() - began < 1.0
        assert not door.server.state.answers
        assert await door.is_well()


# --- pings --------------------------------------------------------------------------------------------------------

PING: Final = b": ping\n\n"


def body_of(data: bytes) -> bytes:
    """The payload of a chunked answer, whole or not."""
    out = b""
    rest = data.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        out += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return out


async def test_silence_is_filled_with_pings_and_nothing_else_is(dial: Dial) -> None:
    async with front_door([sleep(0.3), *stream_of(sleep(0.3))], keepalive_s=0.1) as door:
        client = await dial(door.port)
        await client.send(request())

        whole = await client.rest_of_answer(WHOLE)

        events = body_of(whole).split(b"\n\n")
        kinds = ["ping" if event == b": ping" else "data" for event in events if event]
        assert kinds[:2] == ["ping", "ping"]
        assert kinds[-1] == "data"
        assert 4 <= kinds.count("ping") <= 6
        assert all(event.startswith((b": ping", b"data: ")) for event in events if event)


async def test_a_ping_never_stands_inside_an_event(dial: Dial) -> None:
    """The upstream falls silent in the middle of one, and in the middle of a character."""
    one = 'data: {"choices":[{"index":0,"delta":{"content":"日本"}}]}\n\n'.encode()
    cut = one.index("本".encode()) + 1
    script = [stream_head(), delta("a"), chunk(one[:cut]), sleep(0.35), chunk(one[cut:]), *stream_of()[1:]]
    async with front_door(script, keepalive_s=0.1) as door:
        client = await dial(door.port)
        await client.send(request())

        body = body_of(await client.rest_of_answer(WHOLE))

        assert one in body
        assert body.count(PING) in (2, 3, 4)
        body.decode()


async def test_upstream_comments_are_not_passed_on_and_do_not_silence_ours(dial: Dial) -> None:
    chatter = [step for _ in range(20) for step in (chunk(b": OPENROUTER PROCESSING\n\n"), sleep(0.02))]
    async with front_door(stream_of(*chatter), keepalive_s=0.1) as door:
        client = await dial(door.port)
        await client.send(request())

        body = body_of(await client.rest_of_answer(WHOLE))

        assert b"OPENROUTER" not in body
        assert PING in body


async def test_json_is_never_padded(dial: Dial) -> None:
    async with front_door([sleep(0.3), BIG_REPLY], keepalive_s=0.05) as door:
        client = await dial(door.port)
        await client.send(request(GOOD_BODY))

        whole = await client.answer()

        assert whole.status == 200
        assert whole.body.startswith(b'{"id"')


async def test_no_ping_joins_bytes_that_nobody_takes(dial: Dial) -> None:
    """They would only make the heap of a client that is already behind grow."""
    async with front_door(FLOOD, keepalive_s=0.05, write_timeout_s=5.0) as door:
        client = await ask_and_stop_reading(dial, door, request())
        await settled(door.upstream)
        exchange = next(iter(door.server.state.in_flight))
        before = exchange.bytes_out
        await asyncio.sleep(0.4)

        assert exchange.bytes_out == before
        client.writer.transport.abort()


async def test_a_failure_after_a_ping_is_an_event_of_the_stream(dial: Dial) -> None:
    async with front_door([sleep(0.3), answer(b"<html>", 500)], keepalive_s=0.1) as door:
        client = await dial(door.port)
        await client.send(request())

        whole = await client.rest_of_answer(WHOLE)

        assert whole.startswith(b"HTTP/1.1 200")
        assert b'data: {"error":' in whole
        assert DONE not in whole
