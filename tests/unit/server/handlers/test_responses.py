"""Responses that remember. What their items look like is `protocols/openai_responses`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from tests.support.fake_transport import FakeReply
from tests.support.shell import EVENTS, LAST, REPLY, WORD, Client, shell, shell_state

ASKED: dict[str, Any] = {"model": "m", "input": "My name is Ada."}


async def respond(client: Client, **fields: Any) -> Any:
    headers = fields.pop("headers", {})
    async with client.post("/v1/responses", json={**ASKED, **fields}, headers=headers) as answer:
        return await answer.json()


async def test_a_later_question_goes_on_where_an_earlier_answer_ended() -> None:
    state = shell_state()
    async with shell(state) as client:
        first = await respond(client)
        second = await respond(client, input="Who am I?", previous_response_id=first["id"])

    assert second["status"] == "completed"
    assert second["previous_response_id"] == first["id"]
    transport = state.gateway.current.upstreams["up"].transport
    sent = jsonx.decode(transport.requests[-1].body)["messages"]  # type: ignore[attr-defined]
    assert [(message["role"], message["content"]) for message in sent] == [
        ("user", "My name is Ada."),
        ("assistant", "hello"),
        ("user", "Who am I?"),
    ]


async def test_a_stream_is_remembered_as_well() -> None:
    state = shell_state(FakeReply(WORD % b"hello", LAST, headers=EVENTS))
    async with shell(state) as client:
        async with client.post("/v1/responses", json={**ASKED, "stream": True}) as answer:
            events = await answer.text()
        last = jsonx.decode(events.strip().split("\n\n")[-1].split("data: ")[1].encode())
        async with client.get(f"/v1/responses/{last['response']['id']}") as found:
            kept = await found.json()

    assert last["type"] == "response.completed"
    assert kept["output"] == last["response"]["output"]


async def test_what_is_kept_can_be_looked_at_and_deleted() -> None:
    async with shell(shell_state()) as client:
        made = await respond(client)
        async with client.get(f"/v1/responses/{made['id']}") as found:
            assert await found.json() == made
        async with client.get(f"/v1/responses/{made['id']}/input_items") as items:
            (item,) = (await items.json())["data"]
            assert item["content"] == [{"type": "input_text", "text": "My name is Ada."}]
        async with client.delete(f"/v1/responses/{made['id']}") as gone:
            assert (await gone.json())["deleted"] is True
        for method in (client.get, client.delete):
            async with method(f"/v1/responses/{made['id']}") as missing:
                assert missing.status == 404
        refused = await respond(client, previous_response_id=made["id"])

    assert refused["error"]["code"] == "previous_response_not_found"


async def test_who_does_not_want_to_be_remembered_is_not() -> None:
    state = shell_state()
    async with shell(state) as client:
        await respond(client, store=False)

    assert len(state.responses) == 0


async def test_an_answer_that_failed_is_nothing_to_go_on_from() -> None:
    state = shell_state(FakeReply(WORD % b"hel", headers=EVENTS))
    async with shell(state) as client, client.post("/v1/responses", json={**ASKED, "stream": True}) as answer:
        assert "response.failed" in await answer.text()

    assert len(state.responses) == 0


async def test_nobody_goes_on_from_another_key_s_answer() -> None:
    state = shell_state()
    for name in ("alice", "bobby"):
        digest = digest_of(name * 4)
        state.keys._by_digest[digest] = (ClientKey(name=name, digest=digest), float("inf"))
    async with shell(state) as client:
        made = await respond(client, headers={"x-api-key": "alice" * 4})
        stolen = await respond(client, headers={"x-api-key": "bobby" * 4}, previous_response_id=made["id"])
        async with client.get(f"/v1/responses/{made['id']}", headers={"x-api-key": "bobby" * 4}) as looked:
            assert looked.status == 404

    assert stolen["error"]["code"] == "previous_response_not_found"


async def test_answers_are_kept_for_a_key_and_not_for_its_name() -> None:
    alice, bob = Secret("sk-alice-0123456789"), Secret("sk-bob-0123456789")
    state = shell_state(auth=AuthSettings(required="always", client_keys=(alice, bob)))
    async with shell(state) as client:
        made = await respond(client, headers={"x-api-key": alice.reveal()})
        auth = AuthSettings(required="always", client_keys=(bob,))  # whose place in the list is now that of alice
        state.settings.replace(replace(state.settings.current, auth=auth))
        async with client.get(f"/v1/responses/{made['id']}", headers={"x-api-key": bob.reveal()}) as looked:
            assert looked.status == 404


async def test_two_requests_of_one_name_are_two_answers() -> None:
    state = shell_state()
    made = iter(range(100))
    state.entropy = lambda size: next(made).to_bytes(size)
    async with shell(state) as client:
        named = {"x-request-id": "trace-7"}
        first = await respond(client, headers=named)
        second = await respond(client, headers=named, input="What is 1 + 1?")
        await respond(client, input="Go on.", previous_response_id=first["id"])

    assert first["id"] != second["id"]
    transport = state.gateway.current.upstreams["up"].transport
    sent = jsonx.decode(transport.requests[-1].body)["messages"]  # type: ignore[attr-defined]
    assert sent[0]["content"] == "My name is Ada."


async def test_a_client_may_go_on_as_soon_as_it_has_read_the_last_event() -> None:
    lingering = asyncio.Event()
    state = shell_state(FakeReply(WORD % b"hello", LAST, lingering, headers=EVENTS))
    async with shell(state) as client, client.post("/v1/responses", json={**ASKED, "stream": True}) as answer:
        await answer.content.readuntil(b"event: response.completed\n")
        made = jsonx.decode((await answer.content.readuntil(b"\n\n")).removeprefix(b"data: "))["response"]

        assert state.responses.get("", made["id"]) is not None
        lingering.set()


async def test_an_answer_that_is_kept_is_not_streamed_again() -> None:
    async with shell(shell_state()) as client:
        made = await respond(client)
        async with client.get(f"/v1/responses/{made['id']}?stream=true") as refused:
            assert refused.status == 400
            assert (await refused.json())["error"]["param"] == "stream"
        async with client.get(f"/v1/responses/{made['id']}?stream=false") as found:
            assert found.status == 200


async def test_a_call_that_nobody_can_read_does_not_end_its_conversation() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{'cmd': 'ls'}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    calling = jsonx.encode({"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    state = shell_state(FakeReply(calling), REPLY)
    async with shell(state) as client:
        first = await respond(client)
        output = {"type": "function_call_output", "call_id": "c1", "output": "error: no JSON"}
        second = await respond(client, input=[output], previous_response_id=first["id"])

    assert second["status"] == "completed"


async def test_a_short_question_in_a_long_conversation_does_not_spoil_the_estimate() -> None:
    counting = jsonx.encode(
        {**jsonx.decode(REPLY._written[0]), "usage": {"prompt_tokens": 2_500, "completion_tokens": 1}}
    )
    state = shell_state(FakeReply(counting), FakeReply(counting))
    async with shell(state) as client:
        first = await respond(client, input="word " * 2_000)
        await respond(client, input="go on", instructions="be nice " * 300, previous_response_id=first["id"])
        asked = {"model": "m", "messages": [{"role": "user", "content": "x" * 4_000}]}
        async with client.post("/v1/messages/count_tokens", json=asked) as answer:
            counted = await answer.json()

    assert 800 < counted["input_tokens"] < 1_100
