from __future__ import annotations

import random
from itertools import pairwise
from typing import Protocol

import pytest

from iflow_cli_proxy.core.errors import CutOff, EmptyAnswer, GatewayError, Malformed
from iflow_cli_proxy.core.events import Event, Failed, UsageReported
from iflow_cli_proxy.core.sse import MAX_EVENT_BYTES
from iflow_cli_proxy.gateway.pipe import FastPipe, Pipe, SlowPipe
from iflow_cli_proxy.gateway.verdict import Memory
from iflow_cli_proxy.protocols.base import EncodeOptions
from tests.support.exchanges import CODEC
from tests.support.faults import GOOD_EVENTS, ROLE, STOP, piece
from tests.support.goldens import FAILING_WORDS, OPTIONS, SCENARIOS, Scenario, decode_stream
from tests.support.losses import STREAM_LOSSES, with_made_up_ids
from tests.support.seeds import for_each_seed

USAGE = '{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}'
STREAMS = [scenario for scenario in SCENARIOS if CODEC in scenario.protocols("sse")]


class Make(Protocol):
    def __call__(self, *, shows_usage: bool = True) -> Pipe: ...


def fast(*, shows_usage: bool = True) -> FastPipe:
    return FastPipe(CODEC, CODEC.tap(CODEC.decode_error, FAILING_WORDS), shows_usage=shows_usage)


def slow(*, shows_usage: bool = True) -> SlowPipe:
    options = EncodeOptions(id=OPTIONS.id, created=OPTIONS.created, model=OPTIONS.model, shows_usage=shows_usage)
    return SlowPipe(
        CODEC.framer(),
        CODEC.stream_decoder(CODEC.decode_error, FAILING_WORDS),
        CODEC.stream_encoder(options),
        Memory(CODEC.decode_error).error_of,
    )


BOTH = pytest.mark.parametrize("make", [fast, slow])


def frames(*datas: str) -> bytes:
    return b"".join(f"data: {data}\n\n".encode() for data in datas)


def through(pipe: Pipe, chunks: list[bytes], *, ends: bool = True) -> bytes:
    """Everything a pipe lets out, as a relay would have it."""
    out = []
    for chunk in chunks:
        if pipe.is_over:
            break
        out.append(pipe.feed(chunk))
    if ends and not pipe.is_over:
        out.append(pipe.end())
    return b"".join(out)


def split(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(12)))
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)]) if start < end]


def kind_of(failure: GatewayError | None) -> str:
    return failure.kind if failure is not None else ""


@pytest.mark.parametrize("scenario", STREAMS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("shows_usage", [True, False])
def test_fast_and_slow_mean_the_same_on_every_golden_however_it_is_split(scenario: Scenario, shows_usage: bool) -> None:
    wire = scenario.read(CODEC, "sse")

    def law(rng: random.Random) -> None:
        quick, thorough = fast(shows_usage=shows_usage), slow(shows_usage=shows_usage)
        passed = through(quick, split(wire, rng))
        rebuilt = through(thorough, split(wire, rng))

        assert kind_of(quick.failure) == kind_of(thorough.failure)
        assert (quick.has_content, quick.is_complete) == (thorough.has_content, thorough.is_complete)
        assert quick.usage == thorough.usage
        lossy = STREAM_LOSSES[CODEC.name]
        expected = lossy(meaning(passed, shows_usage=shows_usage))
        assert with_made_up_ids(lossy(meaning(rebuilt, shows_usage=shows_usage)), like=expected) == expected

    for_each_seed(8, law)


def meaning(wire: bytes, *, shows_usage: bool) -> list[Event]:
    """The events of what came out. How a broken stream ends is the relay's to say.

    Usage that nobody asked for may pass when it comes in one event with content: that event is not rebuilt for it.
    """
    hidden = (Failed,) if shows_usage else (Failed, UsageReported)
    return [each for each in decode_stream(CODEC, [wire]) if not isinstance(each, hidden)]


@pytest.mark.parametrize("scenario", STREAMS, ids=lambda scenario: scenario.name)
def test_only_a_good_stream_has_an_end_marker(scenario: Scenario) -> None:
    for pipe in (fast(), slow()):
        out = through(pipe, [scenario.read(CODEC, "sse")])

        assert out.count(CODEC.end_marker) == (0 if scenario.is_failure else 1)
        assert (pipe.failure is not None) is scenario.is_failure


@BOTH
def test_nothing_but_whole_events_comes_out(make: Make) -> None:
    pipe = make()
    wire = frames(piece("hello"))

    assert pipe.feed(wire[:-1]) == b""
    assert pipe.feed(wire[-1:]).count(b"hello") == 1
    assert pipe.feed(b"data: " + piece("half").encode()[:-5]) == b""
    assert b"half" not in pipe.end()
    assert isinstance(pipe.failure, CutOff)


@BOTH
def test_content_is_text_thinking_a_call_or_an_end_and_not_a_role(make: Make) -> None:
    call = piece("x").replace('{"content":"x"}', '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}')
    thought = piece("x").replace('"content"', '"reasoning_content"')
    for data, has_content in (
        (ROLE, False),
        (USAGE, False),
        (piece("x"), True),
        (call, True),
        (thought, True),
        (STOP, True),
    ):
        pipe = make()
        pipe.feed(frames(data))
        assert pipe.has_content is has_content, data


@BOTH
def test_complete_means_that_every_answer_has_ended(make: Make) -> None:
    pipe = make()
    second = piece("x").replace('"index":0', '"index":1')
    states = []
    for data in (ROLE, piece("x"), second, STOP, STOP.replace('"index":0', '"index":1')):
        pipe.feed(frames(data))
        states.append(pipe.is_complete)

    assert states == [False, False, False, False, True]
    assert not pipe.is_over


@BOTH
@pytest.mark.parametrize("last", [(), ("[DONE]",)])
def test_f17_an_end_marker_is_added_where_it_is_missing(make: Make, last: tuple[str, ...]) -> None:
    pipe = make()
    out = through(pipe, [frames(*GOOD_EVENTS[:-1], *last)])

    assert pipe.failure is None
    assert out.endswith(CODEC.end_marker)
    assert out.count(CODEC.end_marker) == 1


@BOTH
def test_f16_content_and_then_the_upstreams_own_end_marker_is_a_good_end(make: Make) -> None:
    pipe = make()
    out = through(pipe, [frames(ROLE, piece("hello"), "[DONE]")])

    assert pipe.failure is None
    assert out.endswith(CODEC.end_marker)
    assert b'"finish_reason":"' not in out


@BOTH
def test_f16_no_end_marker_and_no_finish_is_invented(make: Make) -> None:
    pipe = make()
    out = through(pipe, [frames(ROLE, piece("hello"))])

    assert isinstance(pipe.failure, CutOff)
    assert b"[DONE]" not in out
    assert b'"finish_reason":"' not in out


@BOTH
@pytest.mark.parametrize("datas", [(), (ROLE,), (USAGE,), ("[DONE]",), (ROLE, "[DONE]")])
def test_a_stream_without_content_is_empty(make: Make, datas: tuple[str, ...]) -> None:
    pipe = make()
    out = through(pipe, [frames(*datas)])

    assert isinstance(pipe.failure, EmptyAnswer)
    assert not pipe.has_content
    assert CODEC.end_marker not in out


@BOTH
def test_f41_what_came_before_an_error_comes_out_and_nothing_after_it(make: Make) -> None:
    pipe = make()
    error = '{"error":{"message":"overloaded","type":"server_error","code":"upstream_overloaded"}}'
    out = pipe.feed(frames(piece("before"), error, piece("after")))

    assert pipe.is_over
    assert kind_of(pipe.failure) == "upstream_overloaded"
    assert b"before" in out
    assert b"after" not in out
    assert b"error" not in out


@BOTH
def test_a_failing_stop_word_is_a_failure(make: Make) -> None:
    pipe = make()
    out = through(pipe, [frames(piece("hello"), piece("", "network_error"), "[DONE]")])

    assert kind_of(pipe.failure) == "upstream_failing"
    assert b"network_error" not in out
    assert b"[DONE]" not in out


@BOTH
def test_f44_an_event_past_the_cap_ends_it(make: Make) -> None:
    pipe = make()
    pipe.feed(frames(piece("hello")) + b"data: ")
    fed = 0
    while not pipe.is_over:
        assert pipe.feed(b"x" * 65_536) == b""
        fed += 65_536
        assert fed < 2 * MAX_EVENT_BYTES

    assert isinstance(pipe.failure, Malformed)


@BOTH
def test_usage_is_hidden_from_a_client_that_did_not_ask(make: Make) -> None:
    for shows_usage in (True, False):
        pipe = make(shows_usage=shows_usage)
        out = through(pipe, [frames(*GOOD_EVENTS[:-1], USAGE, "[DONE]")])
        assert (b'"usage"' in out) is shows_usage
        assert pipe.usage is not None
        assert pipe.usage.completion == 5


@BOTH
@pytest.mark.parametrize("shows_usage", [True, False])
def test_a_client_sees_one_end_however_often_it_is_told(make: Make, shows_usage: bool) -> None:
    out = through(make(shows_usage=shows_usage), [frames(ROLE, piece("a"), STOP, STOP, "[DONE]")])

    assert out.count(b'"finish_reason":"stop"') == 1


@BOTH
def test_the_estimate_counts_words_and_not_their_envelopes(make: Make) -> None:
    pipe = make()
    words = ["word "] * 100
    through(pipe, [frames(ROLE, *map(piece, words), STOP)])

    assert 500 <= pipe.characters < 4 * 500  # the envelopes are 15,000


@BOTH
def test_an_estimate_of_nothing_is_nothing(make: Make) -> None:
    assert make().characters == 0


@BOTH
def test_an_event_of_several_lines_stays_one_event(make: Make) -> None:
    pipe = make()
    two_lines = piece("x").replace('"choices"', '\ndata: "choices"')
    out = pipe.feed(frames(two_lines))

    assert len(decode_stream(CODEC, [out, frames(STOP)])) == len(decode_stream(CODEC, [frames(piece("x"), STOP)]))
