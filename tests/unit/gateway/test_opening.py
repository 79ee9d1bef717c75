from __future__ import annotations

import asyncio
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    CutOff,
    EmptyAnswer,
    Failing,
    GatewayError,
    Malformed,
    Overloaded,
    RateLimited,
    Revoked,
    TimedOut,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import MAX_HELD_BYTES, MAX_REPLY_BYTES, Begun, Found, Opening, Whole, read_all
from iflow_cli_proxy.gateway.pipe import FastPipe, SlowPipe
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from tests.support.exchanges import CODEC, inbound, provider
from tests.support.fake_transport import FakeReply, Piece
from tests.support.faults import GOOD_EVENTS, ROLE, TEXT, piece, whole
from tests.support.virtual_time import run_in_virtual_time

LIMITS = Limits(first_byte_s=10, idle_s=5, content_s=20, total_s=60)
OVERLOADED = '{"error":{"message":"overloaded","code":"upstream_overloaded"}}'


def frames(*datas: str) -> bytes:
    return b"".join(f"data: {data}\n\n".encode() for data in datas)


class Picky(OpenAICompatible):
    """An upstream for which one finish reason is a failure."""

    failing_stop_words = frozenset({"tired"})  # type: ignore[misc]  # final for everybody else


class Careless(OpenAICompatible):
    """An upstream that may give two calls the same index."""

    reuses_call_indexes = True  # type: ignore[misc]  # final for everybody else


async def opened(
    *pieces: Piece,
    stream: bool = False,
    status: int = 200,
    merges_reasoning: bool = False,
    by: OpenAICompatible | None = None,
    reply: FakeReply | None = None,
    key: str = "",
    **fields: Any,
) -> Found:
    deadline = Deadline(LIMITS)
    envelope = CODEC.read_envelope(inbound(stream=stream, **fields))
    try:
        return await Opening(
            codec=CODEC,
            voice=CODEC,
            upstream_codec=CODEC,
            provider=by or provider(),
            envelope=envelope,
            options=EncodeOptions(
                id="made-up", model="m", shows_usage=envelope.wants_usage, merges_reasoning=merges_reasoning
            ),
            reply=reply or FakeReply(*pieces, status=status),
            deadline=deadline,
            key=Secret(key),
            choices=envelope.choices,
        ).read()
    finally:
        deadline.close()


async def failure(*pieces: Piece, **options: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await opened(*pieces, **options)
    return caught.value


async def begun(*pieces: Piece, **options: Any) -> Begun:
    found = await opened(*pieces, stream=True, **options)
    assert isinstance(found, Begun)
    return found


async def made_whole(*pieces: Piece, **options: Any) -> Whole:
    found = await opened(*pieces, **options)
    assert isinstance(found, Whole)
    return found


# --- streams ------------------------------------------------------------------------------------------------------


async def test_a_stream_is_held_back_until_it_shows_content() -> None:
    reply = FakeReply(b": hello\n\n", frames(ROLE), frames(piece("a")), frames(piece("b")))
    found = await begun(reply=reply)

    assert found.ready == frames(ROLE, piece("a"))
    assert reply.reads == 3
    assert isinstance(found.pipe, FastPipe)


async def test_a_stream_that_is_all_there_at_once_is_over_when_it_begins() -> None:
    found = await begun(frames(*GOOD_EVENTS))

    assert found.pipe.is_over
    assert found.ready.endswith(CODEC.end_marker)


async def test_thinking_that_is_to_be_merged_takes_the_slow_way() -> None:
    found = await begun(frames(piece("hm").replace("content", "reasoning_content")), merges_reasoning=True)

    assert isinstance(found.pipe, SlowPipe)
    assert b'"content":"hm"' in found.ready


async def test_calls_that_may_share_an_index_are_numbered_anew_where_there_are_tools() -> None:
    by = Careless("up", "http://up.test/v1", provider().catalog, clock=provider()._clock)
    tools = [{"type": "function", "function": {"name": "f"}}]
    call = '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"%s","function":{"name":"f"}}]}}]}'
    events = frames(call % "a", call % "b", piece("", "tool_calls"), "[DONE]")

    found = await begun(events, by=by, tools=tools)

    assert b'{"index":1,"id":"b"' in found.ready
    assert isinstance((await begun(events, by=by)).pipe, FastPipe)
    assert isinstance((await begun(events, tools=tools)).pipe, FastPipe)


@pytest.mark.parametrize("before", [(), (ROLE,)])
async def test_f40_what_fails_before_its_content_is_raised(before: tuple[str, ...]) -> None:
    assert isinstance(await failure(frames(*before, OVERLOADED), stream=True), Overloaded)
    assert isinstance(await failure(frames(*before, "{bad"), stream=True), GatewayError)
    assert isinstance(await failure(frames(*before), CutOff("cut"), stream=True), CutOff)


async def test_an_error_in_the_same_piece_as_content_waits_for_its_turn() -> None:
    found = await begun(frames(piece("a"), OVERLOADED))

    assert found.ready == frames(piece("a"))
    assert isinstance(found.pipe.failure, Overloaded)


async def test_f20_what_is_held_back_has_a_cap() -> None:
    reply = FakeReply(*[frames(ROLE)] * 5000)
    found = await begun(reply=reply)

    assert MAX_HELD_BYTES < len(found.ready) < MAX_HELD_BYTES + 1000
    assert not found.pipe.has_content


def test_f20_murmuring_without_content_ends_at_the_first_byte_limit() -> None:
    class Murmuring(FakeReply):
        async def read(self) -> bytes:
            await asyncio.sleep(1)
            return b": patience\n\n"

    async def scenario() -> str:
        error = await failure(reply=Murmuring(), stream=True)
        assert isinstance(error, TimedOut)
        return error.limit

    assert run_in_virtual_time(scenario()) == "first_byte"


@pytest.mark.parametrize("body", [b"", b"\n\n"])
@pytest.mark.parametrize("stream", [True, False])
async def test_f39_nothing_is_an_empty_answer(body: bytes, stream: bool) -> None:
    assert isinstance(await failure(body, stream=stream), EmptyAnswer)


# --- whole bodies -------------------------------------------------------------------------------------------------


async def test_a_good_body_is_passed_on_byte_by_byte() -> None:
    body = whole().replace(b'"id"', b'"x_unknown" : 1.50, "id"')
    found = await made_whole(body[:20], body[20:])

    assert found.body == body
    assert found.usage is not None
    assert found.usage.completion == 5


async def test_a_mark_before_the_body_is_taken_off() -> None:
    assert (await made_whole(b"\xef\xbb\xbf" + whole())).body == whole()


async def test_f29_a_body_without_end_is_left_at_the_cap() -> None:
    reply = FakeReply(b"{", *[b" " * 1_048_576] * 64)

    assert isinstance(await failure(reply=reply), Malformed)
    assert reply.reads <= MAX_REPLY_BYTES // 1_048_576 + 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failing_stop_word_is_a_failure_in_every_shape(stream: bool) -> None:
    by = Picky("up", "http://up.test/v1", provider().catalog, clock=provider()._clock)
    body = whole().replace(b'"stop"', b'"tired"')

    assert isinstance(await failure(body, stream=stream, by=by), Failing)
    assert isinstance(await failure(frames(piece("", "tired")), stream=stream, by=by), Failing)
    assert (await made_whole(body)).body == body


@pytest.mark.parametrize(
    "pieces", [[whole()], [b"\n", b" ", whole()], [b"\xef", b"\xbb", b"\xbf", whole()], [b"{", whole()[1:]]]
)
async def test_f43_json_for_a_stream_becomes_one(pieces: list[bytes]) -> None:
    found = await made_whole(*pieces, stream=True)

    assert found.is_stream
    assert found.body.endswith(CODEC.end_marker)
    assert TEXT in found.body.decode()
    assert b'"usage"' not in found.body


async def test_f43_json_for_a_stream_keeps_the_usage_that_was_asked_for() -> None:
    found = await made_whole(whole(), stream=True, stream_options={"include_usage": True})

    assert b'"completion_tokens":5' in found.body


@pytest.mark.parametrize(
    "pieces", [[frames(*GOOD_EVENTS)], [frames(each) for each in GOOD_EVENTS], [b"d", frames(*GOOD_EVENTS)[1:]]]
)
async def test_f43_a_stream_for_json_is_collected(pieces: list[bytes]) -> None:
    found = await made_whole(*pieces)

    assert jsonx.decode(found.body)["choices"][0]["message"]["content"] == TEXT
    assert not found.is_stream


async def test_f43_a_stream_for_json_is_whole_at_its_end_marker() -> None:
    reply = FakeReply(frames(*GOOD_EVENTS), asyncio.Event())

    async with asyncio.timeout(1):
        await made_whole(reply=reply)


async def test_f43_a_stream_for_json_that_breaks_off_is_no_answer() -> None:
    assert isinstance(await failure(frames(piece("a"))), CutOff)
    assert isinstance(await failure(frames(piece("a")), CutOff("cut")), CutOff)
    assert isinstance(await failure(frames(piece("a"), OVERLOADED)), Overloaded)
    assert isinstance(await failure(frames(ROLE, "[DONE]")), EmptyAnswer)


async def test_f43_a_stream_for_json_has_the_same_cap() -> None:
    reply = FakeReply(*[frames(*[piece("x" * 1000)] * 800)] * 64)

    assert isinstance(await failure(reply=reply), Malformed)


@pytest.mark.parametrize("body", [b"<html>", b"null", b"[]", b"hello", b"true", b'"x"', b"7", b"{}", b'{"choices":[]}'])
@pytest.mark.parametrize("stream", [True, False])
async def test_f39_what_is_no_answer_is_malformed_and_not_empty(body: bytes, stream: bool) -> None:
    error = await failure(body, stream=stream)

    assert isinstance(error, Malformed)
    assert not isinstance(error, EmptyAnswer)


@pytest.mark.parametrize("stream", [True, False])
async def test_f39_a_web_page_is_called_one_and_is_not_read_on(stream: bool) -> None:
    page = FakeReply(b"\n<!DOCTYPE html>", b"<p>...", headers={"content-type": "text/html"})
    error = await failure(reply=page, stream=stream)

    assert "web page" in error.message
    assert "base_url" in error.hint
    assert not page.is_read_out


# --- more answers than one ----------------------------------------------------------------------------------------


def choice(index: int, content: str = "a", finish: str | None = None) -> str:
    ending = "null" if finish is None else f'"{finish}"'
    return f'{{"choices":[{{"index":{index},"delta":{{"content":"{content}"}},"finish_reason":{ending}}}]}}'


SLOW_AND_FAST = pytest.mark.parametrize("merges", [True, False], ids=["slow", "fast"])


@SLOW_AND_FAST
@pytest.mark.parametrize(("more", "kind"), [((), CutOff), ((choice(1), choice(1, "", "stop")), None)])
async def test_f16_a_stream_cut_between_two_answers_is_cut(merges: bool, more: tuple[str, ...], kind: Any) -> None:
    found = await begun(frames(choice(0), choice(0, "", "stop"), *more), merges_reasoning=merges, n=2)
    found.pipe.end()

    assert found.pipe.is_complete is (kind is None)
    assert kind is None or isinstance(found.pipe.failure, kind)
    assert (found.pipe.failure is None) is (kind is None)


@SLOW_AND_FAST
async def test_an_end_marker_is_a_good_end_with_fewer_answers_than_asked_for(merges: bool) -> None:
    """Some upstreams ignore `n`."""
    found = await begun(frames(choice(0), choice(0, "", "stop"), "[DONE]"), merges_reasoning=merges, n=2)

    assert found.pipe.is_over
    assert found.pipe.failure is None


async def test_f43_a_stream_for_json_with_an_answer_missing_is_no_answer() -> None:
    assert isinstance(await failure(frames(choice(0), choice(0, "", "stop")), n=2), CutOff)
    assert (await made_whole(frames(choice(0), choice(0, "", "stop"), "[DONE]"), n=2)).body


# --- secrets ------------------------------------------------------------------------------------------------------

LOUD = '{"error":{"message":"Invalid key open.sesame","code":"invalid_value"}}'


@SLOW_AND_FAST
async def test_i45_no_error_of_a_stream_repeats_the_key(merges: bool) -> None:
    late = await begun(frames(piece("a"), LOUD), merges_reasoning=merges, key="open.sesame")
    early = await failure(frames(LOUD), merges_reasoning=merges, stream=True, key="open.sesame")

    for error in (late.pipe.failure, early):
        assert error is not None
        assert "sesame" not in f"{error} {error.message} {error.detail} {error.hint}"


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("stream", [True, False])
async def test_i45_no_error_of_a_body_repeats_the_key(status: int, stream: bool) -> None:
    error = await failure(LOUD.encode(), status=status, stream=stream, key="open.sesame")

    assert "sesame" not in f"{error} {error.message} {error.detail} {error.hint}"


# --- statuses and limits ------------------------------------------------------------------------------------------


async def test_a_refusal_is_raised_with_its_status() -> None:
    error = await failure(b'{"error":{"message":"slow"}}', status=429, stream=True)

    assert isinstance(error, RateLimited)
    assert error.status == 429


@pytest.mark.parametrize("status", [201, 202, 206])
async def test_any_2xx_with_an_answer_is_an_answer(status: int) -> None:
    assert (await made_whole(whole(), status=status)).body == whole()


def test_f13_a_stalled_body_ends_at_the_idle_limit() -> None:
    async def scenario() -> str:
        error = await failure(whole()[:10], asyncio.Event())
        assert isinstance(error, TimedOut)
        return error.limit

    assert run_in_virtual_time(scenario()) == "idle"


async def test_reading_all_stops_at_the_limit_however_the_pieces_fall() -> None:
    deadline = Deadline(LIMITS)
    with deadline:
        pass
    assert await read_all(FakeReply(b"ab", b"cd"), deadline, 4) == b"abcd"
    assert await read_all(FakeReply(b"cd"), deadline, 4, b"ab") == b"abcd"
    with pytest.raises(Malformed):
        await read_all(FakeReply(b"ab", b"cde"), deadline, 4)
    deadline.close()


@pytest.mark.parametrize(
    ("stream", "merges_reasoning"),
    [(True, False), (True, True), (False, False)],
    ids=["passed through", "translated", "collected"],
)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slower"}, RateLimited),
        ({"code": 403, "message": "This model is forbidden for you."}, Revoked),
    ],
)
async def test_f40_the_first_event_is_the_same_error_whatever_path_the_answer_takes(
    stream: bool, merges_reasoning: bool, error: dict[str, Any], kind: type[GatewayError]
) -> None:
    reply = FakeReply(frames(jsonx.encode({"error": error}).decode()), headers={"retry-after": "120"})

    with pytest.raises(kind) as caught:
        await opened(reply=reply, stream=stream, merges_reasoning=merges_reasoning)

    assert type(caught.value) is kind
    if kind is RateLimited:
        assert caught.value.retry_after_s == 120
