"""Messages mended and answers asked on, through a whole gateway: what the upstream is sent and what the client gets."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.continuing import GO_ON
from tests.support.exchanges import Bench, bench
from tests.support.fake_transport import Answer, FakeReply
from tests.support.faults import piece

CONTINUES = AnswerRules(continues=5)
DONE = "[DONE]"


def streamed(*datas: str) -> FakeReply:
    return FakeReply(*(f"data: {data}\n\n".encode() for data in datas), headers={"content-type": "text/event-stream"})


def whole(text: str, reason: str, completion: int = 1) -> FakeReply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": 1, "completion_tokens": completion, "total_tokens": 1 + completion}
    return FakeReply(jsonx.encode({"id": "c1", "created": 1, "model": "m", "choices": [choice], "usage": usage}))


def text_of(sent: bytes) -> str:
    if sent.startswith(b"{"):
        content: str = jsonx.decode(sent)["choices"][0]["message"]["content"]
        return content
    chunks = [jsonx.decode(line[6:]) for line in sent.split(b"\n\n") if line.startswith(b"data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def asked(made: Bench) -> list[dict[str, Any]]:
    """The bodies the upstream was sent."""
    return [jsonx.decode(request.body) for request in made.transport.requests]


FIRST = {True: streamed(piece("Hello "), piece("wo", "length"), DONE), False: whole("Hello wo", "length")}
SECOND = {True: streamed(piece("rld"), piece("", "stop"), DONE), False: whole("rld", "stop", 2)}
BOTH = pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "json"])


@BOTH
async def test_an_answer_that_was_cut_goes_on(is_stream: bool) -> None:
    made = bench(FIRST[is_stream], SECOND[is_stream], answer_rules=CONTINUES)
    sent = await made.body(stream=is_stream, temperature=0.5)

    assert text_of(sent) == "Hello world"
    assert sent.count(b'"stop"') == 1
    assert b'"length"' not in sent
    first, second = asked(made)
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": "Hello wo"},
        {"role": "user", "content": GO_ON},
    ]
    assert {**second, "messages": None} == {**first, "messages": None}
    assert made.endings == [("label 0", "")] * 2
    assert made.in_flight == 0


@BOTH
async def test_the_other_form_of_answer_goes_on_too(is_stream: bool) -> None:
    """An upstream that streams although nobody asked, and the reverse."""
    made = bench(FIRST[not is_stream], SECOND[not is_stream], answer_rules=CONTINUES)
    assert text_of(await made.body(stream=is_stream)) == "Hello world"


async def test_the_usage_of_all_answers_is_added() -> None:
    made = bench(FIRST[False], SECOND[False], answer_rules=CONTINUES)
    body = jsonx.decode(await made.body())
    assert body["usage"]["completion_tokens"] == 3
    usage = made.exchanges[-1].usage
    assert usage is not None
    assert (usage.prompt, usage.completion) == (2, 3)


@BOTH
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens", "max_new_tokens"])
async def test_a_limit_of_the_clients_is_respected(is_stream: bool, limit: str) -> None:
    made = bench(FIRST[is_stream], SECOND[is_stream], answer_rules=CONTINUES)
    sent = await made.body(stream=is_stream, **{limit: 2})
    assert text_of(sent) == "Hello wo"
    assert len(asked(made)) == 1


@BOTH
async def test_nothing_is_asked_on_unless_it_is_turned_on(is_stream: bool) -> None:
    made = bench(FIRST[is_stream], SECOND[is_stream])
    assert text_of(await made.body(stream=is_stream)) == "Hello wo"
    assert len(asked(made)) == 1


@BOTH
@pytest.mark.parametrize(
    "failing",
    [FakeReply(b'{"error":{"message":"no"}}', status=400), FakeReply(b"", status=503), FakeReply(b"")],
    ids=["400", "503", "empty"],
)
async def test_when_asking_on_fails_what_was_said_is_a_good_answer(is_stream: bool, failing: Answer) -> None:
    made = bench(FIRST[is_stream], failing, answer_rules=CONTINUES)
    sent = await made.body(stream=is_stream)
    assert text_of(sent) == "Hello wo"
    assert sent.count(b'"length"') == 1
    assert b"error" not in sent
    assert made.exchanges[-1].error_kind == ""
    assert made.in_flight == 0


async def test_a_further_stream_that_breaks_off_ends_what_was_said() -> None:
    made = bench(FIRST[True], streamed(piece("rl")), answer_rules=CONTINUES)
    sent = await made.body(stream=True)
    assert text_of(sent) == "Hello worl"
    assert sent.endswith(b"data: [DONE]\n\n")
    assert b"error" not in sent
    assert made.endings == [("label 0", ""), ("label 0", "upstream_cut")]


CALL: dict[str, Any] = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "do"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
]


async def test_what_every_upstream_refuses_is_mended() -> None:
    made = bench(whole("so", "stop"))
    await made.body(messages=TALK)
    [sent] = asked(made)
    assert sent["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert sent["messages"][2:] == [{"role": "tool", "tool_call_id": "a", "content": ""}]


async def test_mending_can_be_turned_off() -> None:
    made = bench(whole("so", "stop"), answer_rules=AnswerRules(repairs_messages=False))
    await made.body(messages=TALK)
    assert asked(made)[0]["messages"] == TALK


async def test_what_cannot_be_mended_is_refused_before_any_account_is_asked() -> None:
    made = bench(whole("so", "stop"))
    broken = {**CALL, "function": {"name": "f", "arguments": "{'a': 1}"}}
    with pytest.raises(InvalidRequest) as caught:
        await made.body(messages=[TALK[0], {**TALK[1], "tool_calls": [broken]}])
    assert caught.value.param == "messages[1].tool_calls[0].function.arguments"
    assert asked(made) == []
