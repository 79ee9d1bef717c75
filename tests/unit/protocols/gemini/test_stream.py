from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Sealed,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.gemini import CODEC
from tests.support.goldens import SCENARIOS
from tests.support.seeds import for_each_seed
from tests.support.whole_call_losses import gemini_stream

FAILING = frozenset({"network_error"})
PLAIN = EncodeOptions(id="x")
HIDING = EncodeOptions(id="x", asked={"contents": []})
STREAMS = [scenario.read(CODEC, "sse") for scenario in SCENARIOS if scenario.path(CODEC, "sse").exists()]
END = {"finishReason": "STOP"}


def decoded(*chunks: bytes, choices: int = 1) -> list[Event]:
    events: list[Event] = run(Chain(CODEC.framer(), CODEC.stream_decoder(CODEC.decode_error, FAILING, choices)), chunks)
    grammar.check(events)
    return events


def chunk(*parts: Any, **more: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    return b"data: " + jsonx.encode({"candidates": [candidate]}) + b"\n\n"


def encoded(events: Iterable[Event], options: EncodeOptions = PLAIN) -> list[Any]:
    wire = b"".join(run(CODEC.stream_encoder(options), events))
    return [jsonx.decode(frame.data) for frame in run(CODEC.framer(), [wire])]


def parts(chunks: list[Any]) -> list[Any]:
    return [part for one in chunks for part in one["candidates"][0]["content"]["parts"]]


def started(number: int, kind: PartKind, **more: Any) -> PartStarted:
    return PartStarted(part=number, kind=kind, **more)


# --- decode -------------------------------------------------------------------------------------------------------


def test_a_call_comes_whole_and_a_stop_after_it_waits_for_its_result() -> None:
    call = {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}}

    assert decoded(chunk(call), chunk(**END))[1:] == [
        started(0, PartKind.TOOL_CALL, id="a", name="f"),
        Delta(part=0, text='{"x":1}'),
        PartEnded(part=0),
        ChoiceEnded(reason=StopReason.TOOL_USE),
        Ended(),
    ]


def test_a_signature_is_the_seal_of_the_thought_before_it() -> None:
    events = decoded(chunk({"text": "hm", "thought": True}), chunk({"text": "so", "thoughtSignature": "AA=="}, **END))

    assert events[1:5] == [
        started(0, PartKind.REASONING),
        Delta(part=0, text="hm"),
        Sealed(part=0, kind="signature", value="AA=="),
        PartEnded(part=0),
    ]


def test_a_signature_without_a_thought_has_one_without_words() -> None:
    events = decoded(chunk({"functionCall": {"name": "f"}, "thoughtSignature": "AA=="}, **END))

    assert events[1:4] == [
        started(0, PartKind.REASONING),
        Sealed(part=0, kind="signature", value="AA=="),
        PartEnded(part=0),
    ]


def test_usage_that_grows_is_told_once_when_the_answer_has_ended() -> None:
    pieces = [
        b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":1}}\n\n',
        b'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2}}\n\n',
    ]

    assert [event.usage for event in decoded(*pieces) if isinstance(event, UsageReported)] == [Usage(prompt=2)]


def test_usage_is_told_of_a_stream_that_failed() -> None:
    piece = b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":1}}\n\n'

    *_, usage, failure = decoded(piece)
    assert usage == UsageReported(usage=Usage(prompt=1))
    assert isinstance(failure, Failed)


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([], "upstream_empty"),
        ([b'data: {"usageMetadata":{}}\n\n'], "upstream_empty"),
        ([chunk({"text": "a"})], "upstream_cut"),
        ([chunk({"text": "a"}), b'data: {"candidates":[{"co'], "upstream_cut"),
        ([chunk({"text": "a"}, finishReason="network_error")], "upstream_failing"),
        ([b'data: {"error":{"code":429,"message":"m"}}\n\n'], "rate_limited"),
        ([b'data: {"promptFeedback":{"blockReason":"OTHER"}}\n\n'], "content_filtered"),
        ([b'data: {"a":1}\n\n'], "upstream_malformed"),
        ([b"data: [1]\n\n"], "upstream_malformed"),
        (
            [chunk({"text": "a"}), b'{\n  "error": {\n    "code": 503,\n    "message": "m"\n  }\n}\n'],
            "upstream_overloaded",
        ),
    ],
)
def test_a_stream_that_is_no_answer_fails(chunks: list[bytes], kind: str) -> None:
    last = decoded(*chunks)[-1]

    assert isinstance(last, Failed)
    assert last.kind == kind


def test_every_answer_that_was_asked_for_must_end() -> None:
    assert isinstance(decoded(chunk({"text": "a"}, **END), choices=2)[-1], Failed)
    both = [chunk({"text": "a"}, **END), chunk({"text": "b"}, **{**END, "index": 1})]
    assert isinstance(decoded(*both, choices=2)[-1], Ended)


def test_what_comes_after_the_end_of_an_answer_adds_nothing() -> None:
    assert decoded(chunk({"text": "a"}, **END), chunk({"text": "b"}, **END)) == decoded(chunk({"text": "a"}, **END))


def test_fields_without_a_word_of_ours_are_told_once_for_each_value() -> None:
    candidate = b'{"index":0,"citationMetadata":{"a":1},"finishReason":"STOP"}'
    piece = b'data: {"candidates":[%b],"promptFeedback":{}}\n\n' % candidate

    extras = [event for event in decoded(piece, piece) if isinstance(event, Extra)]
    assert extras == [
        Extra(protocol="gemini", fields={"promptFeedback": {}}),
        Extra(protocol="gemini", fields={"citationMetadata": {"a": 1}}, choice=0),
    ]


# --- encode -------------------------------------------------------------------------------------------------------

CALLS = [
    Started(id="r", model="m"),
    started(0, PartKind.TOOL_CALL, id="a", name="f"),
    started(1, PartKind.TOOL_CALL, name="g"),
    Delta(part=0, text='{"x"'),
    Delta(part=1, text='{"y":2}'),
    Delta(part=0, text=":1}"),
]
CLOSING = [PartEnded(part=0), PartEnded(part=1), ChoiceEnded(reason=StopReason.TOOL_USE), Ended()]


def test_interleaved_calls_come_whole_and_in_order() -> None:
    first, second, _ = parts(encoded([*CALLS, *CLOSING]))

    assert first == {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}}
    assert second == {"functionCall": {"id": "call_r0_1", "name": "g", "args": {"y": 2}}}


def test_text_after_a_call_stays_after_it() -> None:
    text = [started(2, PartKind.TEXT), Delta(part=2, text="more"), PartEnded(part=2)]

    assert [*parts(encoded([*CALLS, *text, *CLOSING]))[2]] == ["text"]


def test_the_reason_and_the_usage_stand_in_the_last_chunk_together() -> None:
    """Gemini CLI takes the usage from the chunk that has the finish reason."""
    events = [
        Started(),
        started(0, PartKind.TEXT),
        Delta(part=0, text="a"),
        PartEnded(part=0),
        ChoiceEnded(reason=StopReason.MAX_TOKENS),
        UsageReported(usage=Usage(prompt=1, completion=2)),
        Ended(),
    ]

    first, last = encoded(events)
    assert "usageMetadata" not in first
    assert last["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert last["usageMetadata"]["totalTokenCount"] == 3


def test_thoughts_are_for_those_who_asked_and_the_seal_is_for_all() -> None:
    events = [
        Started(),
        started(0, PartKind.REASONING),
        Delta(part=0, text="hm"),
        Sealed(part=0, kind="signature", value="AA"),
        Sealed(part=0, kind="signature", value="AA"),
        PartEnded(part=0),
        started(1, PartKind.TOOL_CALL, id="a", name="f"),
        PartEnded(part=1),
        ChoiceEnded(),
        Ended(),
    ]
    signed = {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "AAAA"}

    assert parts(encoded(events)) == [{"text": "hm", "thought": True}, signed, {"text": ""}]
    assert parts(encoded(events, HIDING)) == [signed, {"text": ""}]


def test_a_seal_that_no_part_follows_has_a_part_of_its_own() -> None:
    events = [Started(), started(0, PartKind.REASONING), Sealed(part=0, kind="encrypted", value="E"), PartEnded(part=0)]

    (alone, _) = parts(encoded([*events, ChoiceEnded(), Ended()], HIDING))
    assert alone.keys() == {"text", "thoughtSignature"}


def test_a_good_stream_without_a_reason_is_not_taken_for_a_cut_one() -> None:
    events = [Started(), started(0, PartKind.TEXT), Delta(part=0, text="a"), PartEnded(part=0), Ended()]

    assert encoded(events)[-1]["candidates"][0]["finishReason"] == "STOP"


def test_a_failed_stream_ends_with_the_error_and_no_reason() -> None:
    wire = encoded([*CALLS, Failed(kind="upstream_cut", message="Cut.")])

    assert [one["error"]["message"] for one in wire] == ["Cut."]


def test_extras_of_googles_ride_on_the_next_chunk_and_those_of_others_nowhere() -> None:
    events = [
        Started(),
        Extra(protocol="gemini", fields={"promptFeedback": {}}),
        Extra(protocol="gemini", fields={"a": 1}, choice=0),
        Extra(protocol="gemini", fields={"a": 2}, choice=0),
        Extra(protocol="openai_chat", fields={"system_fingerprint": "x"}),
        started(0, PartKind.TEXT),
        Delta(part=0, text="t"),
        PartEnded(part=0),
        ChoiceEnded(),
        Ended(),
    ]

    first, second, last = encoded(events)
    assert (first["promptFeedback"], first["candidates"][0]["a"], second["candidates"][0]["a"]) == ({}, 1, 2)
    assert "system_fingerprint" not in jsonx.encode([first, second, last]).decode()


# --- laws ---------------------------------------------------------------------------------------------------------


def test_damaged_streams_obey_the_grammar_and_can_be_written_again() -> None:
    def law(rng: random.Random) -> None:
        events = decoded(damaged(rng, rng.choice(STREAMS)))
        again = decoded(b"".join(run(CODEC.stream_encoder(PLAIN), events)))
        assert type(again[-1]) is type(events[-1])
        assert [type(event) for event in gemini_stream(again)] == [type(event) for event in gemini_stream(events)]

    for_each_seed(3000, law)


def damaged(rng: random.Random, stream: bytes) -> bytes:
    wire = bytearray(stream)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(wire) + 1)
        match rng.randrange(4):
            case 0:
                wire[at:at] = bytes([rng.randrange(256)])
            case 1:
                del wire[at : at + rng.choice((1, 3, 60))]
            case 2:
                wire[at : at + 4] = rng.choice((b"null", b"true", b"1e99", b"[[[[", b'"":{'))
            case _:
                wire[at:at] = wire[at : at + rng.randrange(200)]
    return bytes(wire)


def test_a_hundred_streams_of_a_hundred_deltas_take_little_time() -> None:
    deltas = [Delta(part=0, text="word ")] * 100
    events = [Started(id="r", model="m"), started(0, PartKind.TEXT), *deltas, PartEnded(part=0), ChoiceEnded(), Ended()]
    began = time.process_time()
    for _ in range(100):
        run(CODEC.stream_encoder(EncodeOptions()), events)

    assert time.process_time() - began < 0.3  # a tenth of that is usual
