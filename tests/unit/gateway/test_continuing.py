from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Failing
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.continuing import GO_ON, ContinuedStream, Seam, asking_on, continued, may_continue
from iflow_cli_proxy.gateway.pipe import SlowPipe
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, ReadyStream, WholeAnswer
from iflow_cli_proxy.gateway.verdict import Memory
from iflow_cli_proxy.protocols.base import EncodeOptions
from tests.support.exchanges import CODEC
from tests.support.faults import piece

OPTIONS = EncodeOptions(id="c1", created=1, model="m", shows_usage=True)
GONE = Failing("The upstream failed.")


class Upstream:
    """Answers in turn, as attempts would hand them over; what was asked is kept."""

    def __init__(
        self, *answers: Callable[[Seam, Exchange], Answer] | Exception | asyncio.Event, times: int = 5
    ) -> None:
        self.seam = Seam(CODEC, times)
        self.exchange = Exchange(request_id="req_1", protocol=CODEC.name, started_at=0.0)
        self.asked: list[str] = []
        self.further: list[Exchange] = []
        self.closed: list[int] = []
        self.was_asked_on = asyncio.Event()
        self._answers = list(answers)

    async def ask(self) -> Answer:
        return await continued(
            await self._next(self.exchange), self.seam, self._ask_on, self.exchange, close=lambda: self.closed.append(1)
        )

    async def read(self) -> bytes:
        stream = await self.ask()
        assert isinstance(stream, ContinuedStream)
        out = []
        while frames := await stream.read():
            out.append(frames)
        assert await stream.read() == b""
        await stream.aclose()
        await stream.aclose()
        return b"".join(out)

    async def body(self) -> dict[str, Any]:
        answer = await self.ask()
        assert isinstance(answer, WholeAnswer)
        found: dict[str, Any] = jsonx.decode(answer.body)
        return found

    async def _ask_on(self, text: str, exchange: Exchange) -> Answer:
        self.asked.append(text)
        self.further.append(exchange)
        self.was_asked_on.set()
        return await self._next(exchange)

    async def _next(self, exchange: Exchange) -> Answer:
        given = self._answers.pop(0)
        if isinstance(given, asyncio.Event):
            await given.wait()
        if not callable(given):
            assert isinstance(given, Exception)
            raise given
        return given(self.seam, exchange)


def stream(*datas: str, completion: int = 1) -> Callable[[Seam, Exchange], Answer]:
    """What a relay gives out for these events of an upstream."""

    def answer(seam: Seam, exchange: Exchange) -> Answer:
        error_of = Memory(CODEC.decode_error).error_of
        decoder = CODEC.stream_decoder(CODEC.decode_error, frozenset())
        pipe = SlowPipe(CODEC.framer(), decoder, seam.stream_encoder(OPTIONS), error_of)
        out = pipe.feed(b"".join(f"data: {data}\n\n".encode() for data in datas)) + pipe.end()
        if pipe.failure is not None:
            out += seam.stream_error(pipe.failure)
            exchange.error_kind = pipe.failure.kind
        exchange.usage = Usage(prompt=1, completion=completion)
        exchange.first_byte_s = float(completion)
        return ReadyStream(out, {"x-attempt": str(completion)})

    return answer


def whole(text: str, reason: str = "length", completion: int = 1, **message: Any) -> Callable[[Seam, Exchange], Answer]:
    usage = {"prompt_tokens": 1, "completion_tokens": completion}
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": reason}

    def answer(seam: Seam, exchange: Exchange) -> Answer:
        reply = CODEC.decode_reply(jsonx.encode({"choices": [choice], "usage": usage}), CODEC.decode_error, frozenset())
        exchange.usage = reply.usage
        return WholeAnswer(body=seam.encode_reply(reply, OPTIONS), headers={"x-attempt": str(completion)})

    return answer


def usage_of(completion: int) -> str:
    counts = {"prompt_tokens": 1, "completion_tokens": completion, "total_tokens": 1 + completion}
    return jsonx.encode({"id": "c1", "choices": [], "usage": counts}).decode()


def heard(sent: bytes) -> tuple[str, list[Any], list[Any]]:
    """The text of a stream, every finish reason and every usage in it; it must end once and well."""
    assert sent.endswith(CODEC.end_marker)
    assert sent.count(CODEC.end_marker) == 1
    chunks = [jsonx.decode(line[6:]) for line in sent.split(b"\n\n")[:-2]]
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    ends = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    return text, ends, [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]


CUT = (piece("Hello "), piece("wo", "length"), usage_of(1), "[DONE]")
REST = (piece("rld"), piece("", "stop"), usage_of(2), "[DONE]")


# --- streams ------------------------------------------------------------------------------------------------------


async def test_a_stream_that_was_cut_goes_on_seamlessly() -> None:
    upstream = Upstream(stream(*CUT), stream(*REST, completion=2))
    assert heard(await upstream.read()) == ("Hello world", ["stop"], [3])
    assert upstream.asked == ["Hello wo"]
    assert (upstream.exchange.usage, upstream.exchange.first_byte_s) == (Usage(prompt=2, completion=3), 1.0)


async def test_a_stream_that_was_not_cut_is_left_as_it_is() -> None:
    upstream = Upstream(stream(*REST))
    assert heard(await upstream.read()) == ("rld", ["stop"], [2])
    assert upstream.asked == []


async def test_a_stream_is_asked_on_only_so_often() -> None:
    upstream = Upstream(*[stream(piece(f"{word} ", "length"), "[DONE]") for word in "abcd"], times=2)
    text, ends, _ = heard(await upstream.read())
    assert (text, ends, upstream.asked) == ("a b c ", ["length"], ["a ", "a b "])


@pytest.mark.parametrize(
    "failing",
    [
        GONE,
        stream(piece("rl")),
        stream(piece("rl"), '{"error":{"message":"no"}}'),
        stream(piece("rl"), "<html>"),
    ],
    ids=["refused", "cut off", "error event", "garbage"],
)
async def test_when_asking_on_fails_the_stream_ends_with_what_was_said(failing: Any) -> None:
    upstream = Upstream(stream(*CUT), failing)
    text, ends, _ = heard(await upstream.read())
    assert text in ("Hello wo", "Hello worl")
    assert ends == ["length"]
    assert upstream.exchange.error_kind == ""


async def test_a_first_answer_that_fails_is_told_as_ever() -> None:
    upstream = Upstream(stream(piece("Hel")))
    sent = await upstream.read()
    assert b'"error"' in sent
    assert CODEC.end_marker not in sent
    assert upstream.exchange.error_kind == "upstream_cut"


async def test_half_a_call_in_a_further_answer_is_an_error() -> None:
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a'}}
    half = jsonx.encode({"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).decode()
    upstream = Upstream(stream(*CUT), stream(half))
    assert b'"error"' in await upstream.read()


async def test_another_try_at_the_first_answer_leaves_no_trace_of_the_one_before() -> None:
    upstream = Upstream(stream(piece("lost")), stream(*REST))
    await upstream._next(upstream.exchange)
    assert heard(await upstream.read()) == ("rld", ["stop"], [2])


async def test_r5_a_client_that_leaves_ends_the_asking_on() -> None:
    upstream = Upstream(stream(*CUT), asyncio.Event())
    answer = await upstream.ask()
    assert isinstance(answer, ContinuedStream)
    assert await answer.read()
    reading = asyncio.get_running_loop().create_task(answer.read())
    await upstream.was_asked_on.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert upstream.closed == []
    await answer.aclose()
    assert upstream.exchange.usage == Usage(prompt=1, completion=1)
    assert upstream.closed == [1]


async def test_the_answer_before_is_closed_before_the_next_is_asked_for() -> None:
    closed: list[bool] = []

    class Watched(ReadyStream):
        async def aclose(self) -> None:
            closed.append(not upstream.asked)
            await super().aclose()

    def first(seam: Seam, exchange: Exchange) -> Answer:
        made = stream(*CUT)(seam, exchange)
        assert isinstance(made, ReadyStream)
        return Watched(made._body, {})

    upstream = Upstream(first, stream(*REST))
    await upstream.read()
    assert closed == [True]


# --- JSON ---------------------------------------------------------------------------------------------------------


async def test_a_json_answer_that_was_cut_goes_on_seamlessly() -> None:
    upstream = Upstream(
        whole("Hello wo", reasoning_content="hm"), whole("rld", "stop", completion=2, reasoning_content="again")
    )
    body = await upstream.body()
    [choice] = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Hello world", "reasoning_content": "hm"}
    assert choice["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 3
    assert (upstream.asked, upstream.exchange.usage) == (["Hello wo"], Usage(prompt=2, completion=3))


async def test_when_asking_on_fails_the_json_answer_is_what_was_said() -> None:
    upstream = Upstream(whole("Hello "), whole("wo"), GONE)
    [choice] = (await upstream.body())["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello wo", "length")
    assert upstream.exchange.usage == Usage(prompt=2, completion=2)


async def test_a_json_answer_with_calls_is_left_as_it_is() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    upstream = Upstream(whole("so", tool_calls=[call]))
    [choice] = (await upstream.body())["choices"]
    assert (choice["message"]["tool_calls"], choice["finish_reason"]) == ([call], "length")


async def test_a_client_that_leaves_is_not_given_what_was_said() -> None:
    upstream = Upstream(whole("Hello "), asyncio.Event())
    asking = asyncio.get_running_loop().create_task(upstream.ask())
    await upstream.was_asked_on.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert upstream.exchange.usage == Usage(prompt=1, completion=1), "it was paid for all the same"


async def test_a_further_answer_begins_uncommitted_and_its_attempts_are_listed_with_the_others() -> None:
    def first(seam: Seam, exchange: Exchange) -> Answer:
        exchange.is_committed = True
        return stream(*CUT)(seam, exchange)

    upstream = Upstream(first, stream(*REST))
    await upstream.read()

    [further] = upstream.further
    assert (upstream.exchange.is_committed, further.is_committed) == (True, False)
    assert further.attempts is upstream.exchange.attempts


# --- requests -----------------------------------------------------------------------------------------------------


def request(**fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message(role=Role.USER, parts=(Text(text="hi"),)),), **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"sampling": Sampling(max_tokens=100)},
        {"sampling": Sampling(n=2)},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"response_format": {"type": "json_object"}},
        {"extras": {"openai_chat": {"max_new_tokens": 100}}},
        {"extras": {"openai_chat": {"logprobs": True}}},
    ],
)
def test_some_requests_are_never_asked_on(fields: dict[str, Any]) -> None:
    assert not may_continue(request(**fields))


def test_a_request_without_a_limit_may_be_asked_on() -> None:
    assert may_continue(request())
    assert may_continue(request(response_format={"type": "text"}, extras={"openai_chat": {"logprobs": False}}))


def test_what_was_said_and_the_wish_to_go_on_follow_the_conversation() -> None:
    [*before, said, wish] = asking_on(request(), "Hello wo").messages
    assert tuple(before) == request().messages
    assert (said.role, said.parts) == (Role.ASSISTANT, (Text(text="Hello wo"),))
    assert (wish.role, wish.parts) == (Role.USER, (Text(text=GO_ON),))
