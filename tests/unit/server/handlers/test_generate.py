"""Read, ask the gateway, write. The many ways it goes wrong are in tests/integration."""

from __future__ import annotations

from collections.abc import AsyncIterator

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.record import Exchange
from tests.support.fake_transport import FakeReply
from tests.support.shell import EVENTS, LAST, QUESTION, REPLY, WORD, ask, shell, shell_state


async def test_a_question_becomes_an_answer_and_a_record() -> None:
    seen: list[Exchange] = []
    state = shell_state()
    state.observers.append(seen.append)
    async with shell(state) as client:
        status, headers, body = await ask(client)

    assert (status, headers["content-type"]) == (200, "application/json")
    assert body == REPLY._written[0]
    assert (seen[0].protocol, seen[0].asked, seen[0].status) == ("openai_chat", "m", 200)
    assert seen[0].bytes_out == len(body)
    assert not state.answers


async def test_both_paths_of_the_protocol_answer_alike() -> None:
    async with shell(shell_state()) as client:
        bodies = [
            await (await client.post(path, json=QUESTION)).read()
            for path in ("/v1/chat/completions", "/chat/completions")
        ]

    assert bodies[0] == bodies[1]


async def test_settings_of_the_server_may_change_between_two_requests() -> None:
    from dataclasses import replace

    state = shell_state()
    async with shell(state) as client:
        assert (await ask(client))[0] == 200
        server = replace(state.settings.current.server, max_body_bytes=20)
        state.settings.replace(replace(state.settings.current, server=server))
        status, _, body = await ask(client)

    assert status == 413
    assert jsonx.decode(body)["error"]["code"] == "request_too_large"


async def test_an_upstream_that_fails_before_a_word_is_a_status_not_a_stream() -> None:
    async with shell(shell_state(FakeReply(b"<html>", status=500))) as client:
        status, headers, _ = await ask(client, stream=True)

    assert status == 502
    assert headers["content-type"] == "application/json"


async def test_bytes_of_a_stream_are_counted() -> None:
    seen: list[Exchange] = []
    state = shell_state(FakeReply(WORD % b"x", LAST, headers=EVENTS))
    state.observers.append(seen.append)
    async with shell(state) as client:
        body = (await ask(client, stream=True))[2]

    assert seen[0].bytes_out == len(body)
    assert seen[0].is_stream


async def test_what_was_read_of_a_body_in_chunks_is_known() -> None:
    state = shell_state()
    sizes: list[int] = []
    state.observers.append(lambda exchange: sizes.append(exchange.bytes_in))
    body = jsonx.encode(QUESTION)

    async def chunks() -> AsyncIterator[bytes]:
        yield body[:10]
        yield body[10:]

    async with (
        shell(state) as client,
        client.post("/v1/chat/completions", data=chunks(), headers={"Content-Type": "application/json"}) as reply,
    ):
        assert reply.status == 200

    assert sizes == [len(body)]
