"""Messages mended and answers asked on, through a whole gateway: what the upstream is sent and what the client gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConnectionLost, InvalidRequest
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.continuing import GO_ON
from iflow_cli_proxy.gateway.relay import WholeAnswer
from iflow_cli_proxy.gateway.retry import RetryRules
from tests.support.exchanges import Bench, bench
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.faults import piece
from tests.support.patience import until

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


# --- the further answers as requests of their own -----------------------------------------------------------------

BUSY = FakeReply(b'{"error":{"message":"slow down"}}', status=429)
DOWN = FakeReply(b"", status=503)


async def drive(made: Bench, **options: Any) -> bytes:
    """As the server does it: what went out is committed."""
    answer = await made.answer(**options)
    if isinstance(answer, WholeAnswer):
        return answer.body
    made.exchanges[-1].is_committed = True
    out = b""
    try:
        while piece := await answer.read():
            out += piece
    finally:
        await answer.aclose()
    return out


def armed() -> int:
    """Timers of deadlines that still tick."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]  # CPython's own
    return sum(not timer.cancelled() and "Deadline" in repr(timer) for timer in scheduled)


@BOTH
async def test_a_further_answer_moves_to_another_account_although_the_first_is_with_the_client(is_stream: bool) -> None:
    made = bench(FIRST[is_stream], BUSY, SECOND[is_stream], answer_rules=CONTINUES, count=2)
    assert text_of(await drive(made, stream=is_stream)) == "Hello world"
    assert [kind for _, kind in made.endings] == ["", "rate_limited", ""]


@BOTH
async def test_r1_a_client_that_wants_no_retry_gets_none_in_a_further_answer_either(is_stream: bool) -> None:
    made = bench(FIRST[is_stream], ConnectionLost("gone"), SECOND[is_stream], answer_rules=CONTINUES, count=2)
    assert text_of(await drive(made, stream=is_stream, headers={"x-no-retry": "1"})) == "Hello wo"
    assert len(asked(made)) == 2


@BOTH
async def test_an_answer_is_never_put_together_of_two_models(is_stream: bool) -> None:
    beside = FakeTransport(FIRST[is_stream], DOWN)
    made = bench(
        DOWN,
        SECOND[is_stream],
        answer_rules=CONTINUES,
        beside={"b": beside},
        fallbacks={"m": ("b/m2",)},
        retry=RetryRules(same_account=0, backoff_s=0.0),
    )
    assert text_of(await drive(made, stream=is_stream)) == "Hello wo"
    assert made.routes == ["up/m", "b/m2", "b/m2"]


@pytest.mark.parametrize("second", [DOWN, BUSY, SECOND[False], SECOND[True]], ids=["503", "429", "json", "stream"])
@BOTH
async def test_no_timer_outlives_an_answer_that_was_asked_on(is_stream: bool, second: FakeReply) -> None:
    made = bench(FIRST[is_stream], second, answer_rules=CONTINUES)
    await drive(made, stream=True)
    assert armed() == 0


@BOTH
async def test_no_timer_outlives_a_client_that_leaves_between_two_answers(is_stream: bool) -> None:
    made = bench(FIRST[is_stream], asyncio.Event(), answer_rules=CONTINUES)
    task = asyncio.create_task(drive(made, stream=is_stream))
    await until(lambda: len(made.transport.requests) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (made.in_flight, armed()) == (0, 0)
    usage = made.exchanges[-1].usage
    assert usage is not None, "the first answer was paid for"
    assert usage.completion > 0


@BOTH
async def test_what_has_no_words_of_ours_is_in_the_second_question_as_in_the_first(is_stream: bool) -> None:
    talk: list[dict[str, Any]] = [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    ]
    made = bench(FIRST[is_stream], SECOND[is_stream], answer_rules=CONTINUES)
    await drive(made, stream=is_stream, messages=talk)
    first, second = asked(made)
    assert second["messages"][: len(talk)] == first["messages"] == talk


@BOTH
async def test_a_call_in_the_old_form_is_never_asked_on(is_stream: bool) -> None:
    call = {"name": "f", "arguments": '{"a'}
    if is_stream:
        delta = {"index": 0, "delta": {"function_call": call}, "finish_reason": None}
        chunk = jsonx.encode({"id": "c", "choices": [delta]}).decode()
        first = streamed(piece("Let me look."), chunk, piece("", "length"), DONE)
    else:
        message = {"role": "assistant", "content": "Let me look.", "function_call": call}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        first = FakeReply(jsonx.encode({"id": "c", "choices": [choice]}))
    made = bench(first, SECOND[is_stream], answer_rules=CONTINUES)
    assert b"function_call" in await drive(made, stream=is_stream)
    assert len(asked(made)) == 1
