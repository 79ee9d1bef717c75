"""Clients that send too much, too slowly, or from too many sockets, against the real server (I19, I20, F58, R9)."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import pytest

from iflow_cli_proxy.server.descriptors import raise_descriptor_limit
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, FrontDoor, front_door
from tests.support.patience import until
from tests.support.raw_client import RawAnswer, RawClient, ask, talk
from tests.support.raw_upstream import wait_for

HOST: Final = b"Host: localhost\r\n"
POST: Final = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
GOOD_POST: Final = POST + b"Content-Length: %d\r\n\r\n" % len(GOOD_BODY) + GOOD_BODY
GET: Final = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
TEN_GB: Final = b"Content-Length: 10737418240\r\n"
SHORT_S: Final = 0.2
SOON_S: Final = 1.0


async def drip(client: RawClient, data: bytes, every_s: float = 0.02) -> None:
    """Send byte by byte until nobody listens."""
    for byte in data:
        client.writer.write(bytes([byte]))
        await asyncio.sleep(every_s)
        if client.reader.at_eof():
            return


async def flood(client: RawClient, piece: bytes) -> None:
    """Send `piece` until nobody listens."""
    try:
        while not client.reader.at_eof():
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
    except ConnectionError:
        pass


@asynccontextmanager
async def connected(door: FrontDoor) -> AsyncIterator[RawClient]:
    client = await RawClient.connect(door.port)
    try:
        yield client
    finally:
        client.close()


def assert_last_words(answer: RawAnswer, status: int, code: str) -> None:
    assert answer.status == status
    assert answer.json["error"]["code"] == code
    assert answer.headers["connection"] == "close"


def seconds() -> float:
    return asyncio.get_running_loop().time()


# --- I19: too much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["plain", "with Expect"])
async def test_ten_gigabytes_are_refused_before_the_first_of_them(expect: bytes) -> None:
    async with front_door() as door:
        began_at = seconds()
        (answer,) = await talk(door.port, POST + TEN_GB + expect + b"\r\n")

        assert_last_words(answer, 413, "request_too_large")
        assert seconds() - began_at < SOON_S
        assert door.served == 0


async def test_a_client_that_goes_on_sending_gets_its_refusal_and_is_cut_off() -> None:
    async with front_door() as door, connected(door) as client:
        began_at = seconds()
        await client.send(POST + TEN_GB + b"\r\n")
        flooding = asyncio.create_task(flood(client, b"x" * 65_536))
        assert_last_words(await client.answer(), 413, "request_too_large")
        await client.rest()
        await flooding

        assert seconds() - began_at < SOON_S
        assert await door.is_well()


async def test_an_endless_chunked_body_is_cut_off_at_the_limit() -> None:
    async with front_door(max_body_bytes=100_000) as door, connected(door) as client:
        began_at = seconds()
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        flooding = asyncio.create_task(flood(client, b"2000\r\n" + b" " * 8192 + b"\r\n"))
        assert_last_words(await client.answer(), 413, "request_too_large")
        await client.rest()
        await flooding

        assert seconds() - began_at < SOON_S
        assert door.served == 0


async def test_an_endless_chunk_extension_ends_with_the_time_for_the_body() -> None:
    async with front_door(body_timeout_s=SHORT_S) as door, connected(door) as client:
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5;")
        flooding = asyncio.create_task(flood(client, b"a" * 65_536))
        assert_last_words(await client.answer(), 408, "request_timeout")
        await client.rest()
        await flooding

        assert door.served == 0


async def test_a_body_that_was_promised_is_asked_for() -> None:
    async with front_door() as door, connected(door) as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD_BODY))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(GOOD_BODY)

        assert (await client.answer()).status == 200


# --- I20: too slow ------------------------------------------------------------------------------------------------


async def test_a_head_sent_byte_by_byte_does_not_move_its_deadline() -> None:
    async with front_door(head_timeout_s=SHORT_S) as door, connected(door) as client:
        began_at = seconds()
        dripping = asyncio.create_task(drip(client, b"GET /health HTTP/1.1\r\nX-Slow: " + b"a" * 1000))
        answer = await client.answer()
        await client.rest()

        assert_last_words(answer, 408, "request_timeout")
        assert SHORT_S <= seconds() - began_at < SHORT_S + SOON_S
        await dripping


async def test_empty_lines_are_no_head() -> None:
    async with front_door(head_timeout_s=SHORT_S) as door, connected(door) as client:
        dripping = asyncio.create_task(drip(client, b"\r\n" * 500))

        assert_last_words(await client.answer(), 408, "request_timeout")
        await dripping


async def test_a_client_that_never_says_a_word_is_sent_away_without_one() -> None:
    async with front_door(head_timeout_s=SHORT_S) as door, connected(door) as client:
        assert await client.is_closed_by_peer()


async def test_the_second_head_on_a_connection_has_a_deadline_of_its_own() -> None:
    async with front_door(head_timeout_s=SHORT_S) as door, connected(door) as client:
        await client.send(GET)
        await client.answer()
        await asyncio.sleep(SHORT_S * 1.5)
        await client.send(GET)
        assert (await client.answer()).status == 200

        await client.send(GET[:-1])
        assert_last_words(await client.answer(), 408, "request_timeout")


async def test_a_gateway_that_was_asleep_blames_nobody() -> None:
    """F65: the head was complete long ago, but the process could not look."""
    async with front_door(head_timeout_s=SHORT_S) as door, connected(door) as client:
        await client.send(GET[:10])
        client.writer.write(GET[10:])
        time.sleep(SHORT_S * 2)

        assert (await client.answer()).status == 200


async def test_a_long_answer_has_nothing_to_do_with_the_head_deadline() -> None:
    may_answer = asyncio.Event()
    async with (
        front_door([wait_for(may_answer), GOOD_ANSWER], head_timeout_s=SHORT_S) as door,
        connected(door) as client,
    ):
        await client.send(GOOD_POST)
        await asyncio.sleep(SHORT_S * 1.5)
        may_answer.set()

        assert (await client.answer()).status == 200


async def test_a_body_sent_byte_by_byte_does_not_move_its_deadline() -> None:
    async with front_door(body_timeout_s=SHORT_S) as door, connected(door) as client:
        began_at = seconds()
        await client.send(POST + b"Content-Length: 1000\r\n\r\n")
        dripping = asyncio.create_task(drip(client, b" " * 1000))
        answer = await client.answer()
        await client.rest()

        assert_last_words(answer, 408, "request_timeout")
        assert seconds() - began_at < SHORT_S + SOON_S
        assert door.served == 0
        await dripping


@pytest.mark.parametrize("opening", [b"", b"GET /health HTTP/1.1\r\nX: "], ids=["silent", "in the middle of a head"])
async def test_five_hundred_idle_connections_keep_nobody_waiting(opening: bytes) -> None:
    raise_descriptor_limit()
    async with front_door() as door:
        idle = [await RawClient.connect(door.port) for _ in range(500)]
        for client in idle:
            client.writer.write(opening)
        began_at = seconds()

        assert (await ask(door.port, GOOD_POST)).status == 200
        assert seconds() - began_at < SOON_S
        assert door.listener.connections >= 500
        for client in idle:
            client.close()
        await until(lambda: door.listener.connections == 0)


# --- I20: too many ------------------------------------------------------------------------------------------------


async def test_one_address_holds_no_more_connections_than_it_may() -> None:
    async with front_door(max_connections_per_ip=2) as door:
        async with connected(door) as first, connected(door) as second:
            await first.send(GET)
            await first.answer()
            await second.send(GET)
            await second.answer()
            (refused,) = await talk(door.port)
            assert_last_words(refused, 503, "busy")
            assert refused.headers["retry-after"] == "1"

            await first.send(GET)
            assert (await first.answer()).status == 200
        await until(lambda: door.listener.connections == 0)
        assert await door.is_well()


async def test_no_connection_stays_counted_however_it_ended() -> None:
    async with front_door(head_timeout_s=SHORT_S, body_timeout_s=SHORT_S) as door:
        clients = [await RawClient.connect(door.port) for _ in range(7)]
        for client, data in zip(
            clients,
            (b"", b"GET", b"garbage\r\n\r\n", GET, GOOD_POST, POST + TEN_GB + b"\r\n", GOOD_POST[:-5]),
            strict=True,
        ):
            await client.send(data)
        assert door.listener.connections > 0
        clients[3].writer.transport.abort()
        clients[4].close()

        await until(lambda: door.listener.connections == 0)
        for client in clients:
            client.close()


# --- F58: no descriptors left -------------------------------------------------------------------------------------


@contextmanager
def descriptor_limit(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Every descriptor this process may have is taken."""
    taken: list[int] = []
    with descriptor_limit(256):
        try:
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            yield
        finally:
            for descriptor in taken:
                os.close(descriptor)


async def test_without_descriptors_accepting_pauses_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async with front_door() as door, connected(door) as old:
        await old.send(GET)
        await old.answer()
        with socket.socket() as late:
            with no_descriptors():
                late.connect(("127.0.0.1", door.port))
                late.sendall(GET)
                await old.send(GET)
                assert (await old.answer()).status == 200
                await until(lambda: "no file descriptors left" in caplog.text)

            late.setblocking(False)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(late, 65_536), 5)

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_a_small_descriptor_limit_means_fewer_connections_not_broken_ones() -> None:
    with descriptor_limit(256):
        async with front_door() as door:
            clients = [await RawClient.connect(door.port) for _ in range(97)]
            assert_last_words(await clients[96].answer(), 503, "busy")
            await clients[0].send(GOOD_POST)
            assert (await clients[0].answer()).status == 200
            for client in clients:
                client.close()
            await until(lambda: door.listener.connections == 0)
            assert await door.is_well()


# --- R9: the end --------------------------------------------------------------------------------------------------


async def test_a_closed_listener_lets_running_answers_end_and_sends_the_idle_away() -> None:
    may_answer = asyncio.Event()
    async with (
        front_door([wait_for(may_answer), GOOD_ANSWER]) as door,
        connected(door) as idle,
        connected(door) as busy,
        connected(door) as uploading,
    ):
        await idle.send(GET)
        await idle.answer()
        await busy.send(GOOD_POST)
        await uploading.send(GOOD_POST[:-5])

        door.listener.close()
        door.listener.dismiss()
        assert await idle.is_closed_by_peer()
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(door.port)

        await uploading.send(GOOD_POST[-5:])
        may_answer.set()
        for client in (busy, uploading):
            assert (await client.answer()).status == 200
            assert await client.is_closed_by_peer()
        await until(lambda: door.listener.connections == 0)
