"""Responses that remember. What their items look like is `protocols/openai_responses`."""

from __future__ import annotations

from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from tests.support.fake_transport import FakeReply
from tests.support.shell import EVENTS, LAST, WORD, Client, shell, shell_state

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
