"""Row F47 and rules R4 to R6: clients that leave at every point of an exchange, and failures that are our own."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.deadline import Deadline
from tests.support.faults import GOOD, GOOD_STREAM, ROLE, Facing, facing, piece, whole
from tests.support.gateway import chat_body
from tests.support.patience import until
from tests.support.raw_client import RawClient
from tests.support.raw_upstream import (
    Connection,
    Script,
    Step,
    answer,
    close,
    event,
    flood,
    hang,
    head,
    sleep,
    stream_head,
    wait_for,
)
from tests.support.transports import MB

ONE_AT_A_TIME = "concurrency = 1"
FIN_OR_RST = pytest.mark.parametrize("leave", ["fin", "rst"])
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


async def asking(it: Facing, *, stream: bool = False, content: str = "hi") -> RawClient:
    """A client that has sent its request and has not read anything yet."""
    client = await RawClient.connect(it.gateway.port)
    body = jsonx.encode(chat_body(stream=stream, messages=[{"role": "user", "content": content}]))
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    client.writer.write(request + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    await client.writer.drain()
    return client


def hang_up(client: RawClient, how: str) -> None:
    if how == "rst":
        sock: socket.socket = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def expect_all_free(it: Facing, *, attempts: int = 1) -> None:
    """The upstream is left, the slot is free, the log knows, and the next request is served."""
    assert await it.has_hung_up(1)
    assert await it.gateway.is_idle_within(1)
    ended = it.gateway.exchanges[-1]
    assert ended.status == 499
    assert len(ended.attempts) == attempts
    if attempts:
        assert ended.attempts[-1].error_kind == "cancelled"
    standing = it.gateway.services.pool.standings()[0]
    assert (standing.in_flight, standing.failures_in_a_row) == (0, 0)
    await it.expect_answered()


@FIN_OR_RST
@STREAM_OR_NOT
async def test_f47_a_client_leaves_before_the_first_byte(kind: str, leave: str, stream: bool) -> None:
    async with facing(kind, [hang], [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=stream)
        await it.upstream.got(1)
        hang_up(client, leave)
        await expect_all_free(it)


@FIN_OR_RST
async def test_f47_a_client_leaves_in_the_middle_of_a_stream(kind: str, leave: str) -> None:
    script: Script = [stream_head(), event(ROLE), event(piece("hello")), hang]
    async with facing(kind, script, [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=True)
        assert b"hello" in await client.reader.readuntil(b"hello")
        hang_up(client, leave)
        await expect_all_free(it)
        usage = it.gateway.exchanges[0].usage
    assert usage is not None
    assert usage.is_estimated


@FIN_OR_RST
async def test_f47_a_client_leaves_while_its_stream_never_pauses(kind: str, leave: str) -> None:
    async def talk_on(connection: Connection) -> None:
        while True:
            await connection.send(event(piece("x" * 500)))
            await asyncio.sleep(0)

    async with facing(kind, [stream_head(), talk_on], [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=True)
        await client.reader.readuntil(b"xxx")
        hang_up(client, leave)
        await expect_all_free(it)


@FIN_OR_RST
async def test_f47_a_client_that_reads_nothing_leaves(kind: str, leave: str) -> None:
    script: Script = [stream_head(), flood(event(piece("x" * 8000)), 5000), hang]
    async with facing(kind, script, [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=True)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio types it as a WriteTransport
        await it.upstream.got(1)
        await asyncio.sleep(0.3)
        hang_up(client, leave)
        await expect_all_free(it)


@FIN_OR_RST
@STREAM_OR_NOT
async def test_f47_a_client_leaves_in_the_middle_of_a_json_answer(kind: str, leave: str, stream: bool) -> None:
    half: Script = [head(200, {"Content-Length": "999", "Content-Type": "application/json"}), whole()[:40], hang]
    async with facing(kind, half, [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=stream)
        await it.upstream.got(1)
        await asyncio.sleep(0.05)
        hang_up(client, leave)
        await expect_all_free(it)


@FIN_OR_RST
async def test_f47_a_client_leaves_while_its_request_is_still_being_sent(kind: str, leave: str) -> None:
    async def stop_reading(connection: Connection) -> None:
        if len(connections) == 0:
            connections.append(connection)
            connection.transport.pause_reading()
            await asyncio.sleep(0.3)
            connection.transport.resume_reading()

    connections: list[Connection] = []
    async with facing(kind, [GOOD], on_connect=[stop_reading], more=ONE_AT_A_TIME) as it:
        client = await asking(it, content="x" * (8 * MB))
        await until(lambda: bool(connections))
        await asyncio.sleep(0.1)
        hang_up(client, leave)
        await expect_all_free(it)
        assert it.hits == 1  # the one that came after


@FIN_OR_RST
@STREAM_OR_NOT
async def test_f47_a_client_leaves_while_it_is_queued(kind: str, leave: str, stream: bool) -> None:
    go_on = asyncio.Event()
    async with facing(kind, [wait_for(go_on), GOOD], [GOOD], more=ONE_AT_A_TIME) as it:
        first = asyncio.get_running_loop().create_task(it.ask())
        await it.upstream.got(1)
        client = await asking(it, stream=stream)
        await until(lambda: it.gateway.services.turnstile.waiting == 1)
        hang_up(client, leave)
        await until(lambda: it.gateway.services.turnstile.waiting == 0)
        assert it.gateway.exchanges[-1].status == 499
        assert it.gateway.exchanges[-1].attempts == []
        go_on.set()
        assert (await first).status == 200
        await it.expect_answered()
        assert it.hits == 2


@FIN_OR_RST
async def test_f47_a_client_leaves_while_the_next_attempt_is_pending(kind: str, leave: str) -> None:
    refusal = answer(b"{}", 503, {"Retry-After-Ms": "1500"})
    async with facing(kind, [refusal], [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it)
        await it.upstream.got(1)
        await asyncio.sleep(0.1)
        hang_up(client, leave)
        assert await it.gateway.is_idle_within(1)
        ended = it.gateway.exchanges[-1]
        assert (ended.status, [each.error_kind for each in ended.attempts]) == (499, ["upstream_overloaded"])
        await it.expect_answered()
        assert it.hits == 2


async def test_f47_fifty_clients_that_leave_one_by_one_hold_nobody_up(kind: str) -> None:
    """One at a time upstream; every other client of a long queue goes away at a random place in it."""
    async with facing(kind, [sleep(0.01), GOOD], more=ONE_AT_A_TIME) as it:
        leavers = [await asking(it, stream=number % 2 == 0) for number in range(50)]
        stayers = [asyncio.get_running_loop().create_task(it.ask()) for _ in range(10)]
        for client in leavers:
            hang_up(client, "rst")
            await asyncio.sleep(0.002)
        async with asyncio.timeout(5):
            assert [heard.status for heard in await asyncio.gather(*stayers)] == [200] * 10
        assert await it.gateway.is_idle_within(1)
        assert it.gateway.services.turnstile.waiting == 0


async def test_r4_a_queue_that_is_too_long_says_busy(kind: str) -> None:
    go_on = asyncio.Event()
    async with facing(kind, [wait_for(go_on), GOOD], [GOOD], more=ONE_AT_A_TIME) as it:
        it.gateway.services.turnstile.places = 1
        loop = asyncio.get_running_loop()
        first = loop.create_task(it.ask())
        await it.upstream.got(1)
        second = loop.create_task(it.ask())
        await until(lambda: it.gateway.services.turnstile.waiting == 1)
        client = await asking(it)
        refused = await client.answer()
        client.close()
        assert refused.status == 503
        assert refused.json["error"]["code"] == "busy"
        assert int(refused.headers["retry-after"]) > 0
        go_on.set()
        assert {(await first).status, (await second).status} == {200}


async def test_r6_the_queue_takes_no_longer_than_the_client_wants_to_wait(kind: str) -> None:
    async with facing(kind, [hang], more=ONE_AT_A_TIME) as it:
        client = await asking(it)
        await it.upstream.got(1)
        async with asyncio.timeout(1):
            late = await RawClient.connect(it.gateway.port)
            body = jsonx.encode(chat_body())
            late.writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"X-Request-Timeout: 0.2\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            refused = await late.answer()
        assert refused.status == 503
        assert refused.json["error"]["code"] == "busy"
        late.close()
        hang_up(client, "rst")


async def test_r6_time_in_the_queue_is_not_the_upstreams(kind: str) -> None:
    slow: list[Step] = [sleep(0.3), GOOD]
    async with facing(
        kind, slow, slow, more=f"{ONE_AT_A_TIME}\nfirst_byte_timeout_s = 0.5\nidle_timeout_s = 0.5"
    ) as it:
        loop = asyncio.get_running_loop()
        heard = await asyncio.gather(*(loop.create_task(_quiet(it)) for _ in range(3)))
    assert heard == [200, 200, 200]


async def _quiet(it: Facing) -> int:
    client = await asking(it)
    status = (await client.answer()).status
    client.close()
    return status


@pytest.mark.parametrize("stage", ["prepare", "find_error", "head", "read"])
@STREAM_OR_NOT
async def test_a_bug_of_ours_is_a_500_that_frees_everything(
    kind: str, stage: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks, and wherever: the client gets a request id and nothing of the traceback."""

    def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError("secret words of /srv/app.py")

    async def broken_later(*_: object, **__: object) -> object:
        raise ZeroDivisionError("secret words of /srv/app.py")

    script: Script = [answer(b"{}", 503)] if stage == "find_error" else [GOOD_STREAM if stream else GOOD]
    async with facing(kind, script, more=ONE_AT_A_TIME) as it:
        upstream = it.gateway.services.wired.gateway.upstreams["up"]
        with monkeypatch.context() as patch:
            if stage == "head":
                patch.setattr(type(upstream.transport), "send", broken_later)
            elif stage == "read":
                patch.setattr("iflow_cli_proxy.gateway.opening.Opening._start", broken_later)
            else:
                patch.setattr(type(upstream.provider), stage, broken)
            heard = await it.expect_refused(500, "internal_error", attempts=1, stream=stream)
        assert heard.headers["x-request-id"] in heard.error["message"]
        assert b"secret words" not in heard.body
        assert [each.error_kind for each in it.gateway.exchanges[-1].attempts] == ["internal"]
        it.upstream.then([GOOD])
        await it.expect_answered()


async def test_a_bug_of_ours_in_the_middle_of_a_stream_ends_it_in_an_error_event(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise ZeroDivisionError("secret words of /srv/app.py")

    go_on = asyncio.Event()
    script: Script = [stream_head(), event(piece("hello")), wait_for(go_on), event(piece("more")), hang]
    async with facing(kind, script, [GOOD], more=ONE_AT_A_TIME) as it:
        client = await asking(it, stream=True)
        await client.reader.readuntil(b"hello")
        monkeypatch.setattr("iflow_cli_proxy.gateway.pipe.FastPipe.feed", broken)
        go_on.set()
        said = await client.reader.readuntil(b"\r\n0\r\n\r\n")
        client.close()
        assert b'"code":"internal_error"' in said
        assert b"secret words" not in said
        assert b"[DONE]" not in said
        assert await it.has_hung_up()
        assert await it.gateway.is_idle_within(1)


async def test_nothing_is_left_behind_by_a_hundred_exchanges_that_failed(kind: str) -> None:
    scripts: list[Script] = [
        [close],
        [answer(b"{}", 500)],
        [stream_head(), event(piece("a")), sleep(0.005), close],
        [GOOD_STREAM],
        [GOOD],
        [b"nonsense"],
    ]
    turn = iter(range(1_000_000))

    async def play(connection: Connection) -> None:
        for step in scripts[next(turn) % len(scripts)]:
            await (connection.send(step) if isinstance(step, bytes) else step(connection))

    def deadlines() -> set[int]:
        gc.collect()
        return {id(each) for each in gc.get_objects() if isinstance(each, Deadline)}

    async with facing(kind, [play]) as it:
        before = deadlines()
        for _ in range(10):
            await asyncio.gather(*(it.ask(stream=number % 2 == 0) for number in range(10)))
        await asyncio.sleep(0.1)
        assert deadlines() <= before
        running = {task.get_name() for task in asyncio.all_tasks()}
        assert not any("ping" in name for name in running)
