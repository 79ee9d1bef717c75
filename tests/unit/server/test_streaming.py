"""One client's side of an answer. What real sockets do is in tests/integration/test_slow_clients.py."""

from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import Draining, InvalidRequest
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.gateway.relay import ReadyStream
from iflow_cli_proxy.server.state import ServerState
from tests.support.fake_transport import FakeReply
from tests.support.images import image
from tests.support.patience import until
from tests.support.shell import EVENTS, LAST, QUESTION, WORD, ask, shell, shell_state

FIRST = WORD % b"first"


def streaming(*pieces: bytes | asyncio.Event | Exception) -> FakeReply:
    return FakeReply(*pieces, headers=EVENTS)


async def test_a_stream_is_written_as_it_comes_and_ended() -> None:
    async with shell(shell_state(streaming(FIRST, LAST))) as client:
        status, headers, body = await ask(client, stream=True)

    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["transfer-encoding"] == "chunked"
    assert body == FIRST + LAST


async def test_pings_open_a_stream_whose_upstream_thinks() -> None:
    thinking = asyncio.Event()
    state = shell_state(streaming(thinking, FIRST, LAST), keepalive_s=0.02)
    async with shell(state) as client, client.post("/v1/chat/completions", json={**QUESTION, "stream": True}) as reply:
        assert await reply.content.readuntil(b"\n\n") == b": ping\n\n"
        assert next(iter(state.in_flight)).is_committed
        thinking.set()
        rest = await reply.content.read()

    assert rest.replace(b": ping\n\n", b"") == FIRST + LAST


async def test_a_stream_that_gets_no_account_is_refused_with_a_status() -> None:
    state = shell_state(FakeReply(asyncio.Event()), concurrency=1, keepalive_s=0.01)
    state.gateway.current.turnstile.timeout_s = 0.1
    async with shell(state) as client:
        holding = asyncio.ensure_future(ask(client))
        await until(lambda: bool(state.in_flight))
        status, headers, body = await ask(client, stream=True)
        holding.cancel()

    assert status == 503
    assert headers["retry-after"] == "1"
    assert b'"code":"busy"' in body


async def test_pings_begin_once_the_account_is_there() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    state = shell_state(FakeReply(first, b"{}"), streaming(second, FIRST, LAST), concurrency=1, keepalive_s=0.02)
    async with shell(state) as client:
        holding = asyncio.ensure_future(ask(client))
        await until(lambda: bool(state.in_flight))
        waiting = asyncio.ensure_future(client.post("/v1/chat/completions", json={**QUESTION, "stream": True}))
        await until(lambda: state.gateway.current.turnstile.waiting > 0)
        first.set()
        await holding
        async with await waiting as reply:
            assert await reply.content.readuntil(b"\n\n") == b": ping\n\n"
            second.set()
            assert (await reply.content.read()).endswith(FIRST + LAST)


async def test_a_ping_that_comes_too_late_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    """It was due while the last frames went out."""
    goes_on = asyncio.Event()
    state = shell_state(streaming(FIRST, goes_on, LAST))
    async with shell(state) as client:
        asking = asyncio.ensure_future(ask(client, stream=True))
        await until(lambda: bool(state.answers))
        answer = next(iter(state.answers))
        goes_on.set()
        _, _, body = await asking
        await answer._ping()

    assert body == FIRST + LAST
    assert caplog.text == ""


async def test_the_server_can_end_an_open_stream_with_words() -> None:
    state = shell_state(streaming(FIRST, asyncio.Event()))
    async with shell(state) as client, client.post("/v1/chat/completions", json={**QUESTION, "stream": True}) as reply:
        await reply.content.readuntil(b"\n\n")
        end_all(state)
        rest = await reply.content.read()  # raises when the chunked body is cut

    assert b'"code":"draining"' in rest
    assert not state.answers


async def test_the_server_can_end_an_answer_that_has_not_begun() -> None:
    state = shell_state(FakeReply(asyncio.Event()))
    async with shell(state) as client:
        asking = asyncio.ensure_future(ask(client))
        await until(lambda: bool(state.answers))
        end_all(state)
        status, _, body = await asking

    assert status == 503
    assert b'"code":"draining"' in body


def end_all(state: ServerState) -> None:
    for answer in tuple(state.answers):
        answer.end(Draining("The gateway is stopping."))
        answer.end(Draining("This second one is not heard."))


async def test_a_bug_in_the_middle_of_a_stream_is_told_as_its_last_event(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(stream: ReadyStream) -> bytes:
        if stream._body:
            body, stream._body = stream._body, b""
            return body
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(ReadyStream, "read", read)
    reply = FakeReply(b'{"id":"1","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}')
    async with shell(shell_state(reply)) as client:
        status, _, body = await ask(client, stream=True)

    assert status == 200
    assert b'"code":"internal_error"' in body
    assert b"ZeroDivision" not in body
    assert "a bug of ours" in caplog.text


async def test_a_stream_that_nobody_answers_yet_is_not_opened_and_may_still_be_refused() -> None:
    """Its image is being fetched: nothing of it is upstream."""
    state = shell_state(streaming(FIRST, LAST), keepalive_s=0.01)
    pings: list[bool] = []

    async def fetch(url: str, path: str) -> Image:
        await asyncio.sleep(0.1)
        pings.append(next(iter(state.in_flight)).is_committed)
        raise InvalidRequest("No image.", param=path)

    state.gateway.current._fetch = fetch
    messages = [{"role": "user", "content": [image("https://images.example/a.png")]}]
    async with shell(state) as client:
        status, _, body = await ask(client, stream=True, messages=messages)

    assert (status, pings) == (400, [False])
    assert b"No image." in body


async def test_an_open_stream_is_pinged_whatever_it_waits_for() -> None:
    goes_on = asyncio.Event()
    state = shell_state(streaming(FIRST, goes_on, LAST), keepalive_s=0.02)
    async with shell(state) as client, client.post("/v1/chat/completions", json={**QUESTION, "stream": True}) as reply:
        assert await reply.content.readuntil(b"\n\n") == FIRST
        assert not next(iter(state.in_flight)).is_asking
        assert await reply.content.readuntil(b"\n\n") == b": ping\n\n"
        goes_on.set()
        await reply.content.read()
