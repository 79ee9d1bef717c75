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
from iflow_cli_proxy.protocols.ollama import CODEC
from iflow_cli_proxy.protocols.ollama.voice import OllamaVoice
from tests.support.goldens import SCENARIOS
from tests.support.seeds import for_each_seed
from tests.support.whole_call_losses import ollama_stream

PLAIN = EncodeOptions(id="x", model="m")
STREAMS = [scenario.read(CODEC, "sse") for scenario in SCENARIOS if scenario.path(CODEC, "sse").exists()]
END = b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":2,"eval_count":1}\n'


def decoded(*chunks: bytes) -> list[Event]:
    decoder = CODEC.stream_decoder(CODEC.decode_error, frozenset({"network_error"}))
    events: list[Event] = run(Chain(CODEC.framer(), decoder), chunks)
    grammar.check(events)
    return events


def encoded(events: Iterable[Event], options: EncodeOptions = PLAIN, flavor: str = "chat") -> list[Any]:
    wire = b"".join(run(OllamaVoice(flavor, "m").stream_encoder(options), events))
    return [jsonx.decode(line) for line in wire.splitlines()]


def started(number: int, kind: PartKind, **more: Any) -> PartStarted:
    return PartStarted(part=number, kind=kind, **more)


# --- decode -------------------------------------------------------------------------------------------------------


def test_thinking_text_and_calls_are_parts_in_their_order() -> None:
    events = decoded(
        b'{"model":"m","created_at":"2026-11-20T00:00:00.5Z","message":{"thinking":"hm"}}\n',
        b'{"message":{"content":"so"}}\n',
        b'{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}}\n',
        END,
    )

    assert events == [
        Started(model="m", created=1_795_132_800),
        started(0, PartKind.REASONING),
        Delta(part=0, text="hm"),
        PartEnded(part=0),
        started(1, PartKind.TEXT),
        Delta(part=1, text="so"),
        PartEnded(part=1),
        started(2, PartKind.TOOL_CALL, name="f"),
        Delta(part=2, text='{"x":1}'),
        PartEnded(part=2),
        ChoiceEnded(reason=StopReason.TOOL_USE),
        UsageReported(usage=Usage(prompt=2, completion=1)),
        Ended(),
    ]


def test_a_bare_generation_is_read_the_same() -> None:
    events = decoded(b'{"response":"a"}\n', b'{"response":"","done":true,"done_reason":"length"}\n')

    assert events[2:] == [
        Delta(part=0, text="a"),
        PartEnded(part=0),
        ChoiceEnded(reason=StopReason.MAX_TOKENS),
        Ended(),
    ]


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([], "upstream_empty"),
        ([CODEC.ping, CODEC.ping], "upstream_empty"),
        ([b'{"response":"a"}\n'], "upstream_cut"),
        ([b'{"response":"a"}\n{"respo'], "upstream_cut"),
        ([b'{"error":"m"}\n'], "upstream_failing"),
        ([b'{"done":true}\n'], "upstream_malformed"),
        ([b'{"response":"a","done_reason":"network_error"}\n'], "upstream_failing"),
    ],
)
def test_a_stream_that_is_no_answer_fails(chunks: list[bytes], kind: str) -> None:
    last = decoded(*chunks)[-1]

    assert isinstance(last, Failed)
    assert last.kind == kind


def test_nothing_comes_after_the_end() -> None:
    assert decoded(b'{"response":"a"}\n', END, b'{"response":"b"}\n') == decoded(b'{"response":"a"}\n', END)


def test_fields_without_a_word_of_ours_come_back() -> None:
    events = decoded(b'{"response":"a","logprobs":[1]}\n', END)

    assert Extra(protocol="ollama", fields={"logprobs": [1]}, choice=0) in events
    assert encoded(events)[0]["logprobs"] == [1]


# --- encode -------------------------------------------------------------------------------------------------------

THINKING = [Started(), started(0, PartKind.REASONING), Delta(part=0, text="hm"), PartEnded(part=0)]
TEXT = [started(1, PartKind.TEXT), Delta(part=1, text="so"), PartEnded(part=1)]
ENDING = [ChoiceEnded(), UsageReported(usage=Usage(prompt=2, completion=1)), Ended()]


def test_a_chat_is_answered_in_messages_and_the_last_line_is_done() -> None:
    lines = encoded([*THINKING, *TEXT, *ENDING])

    assert [line["message"] for line in lines] == [
        {"role": "assistant", "content": "", "thinking": "hm"},
        {"role": "assistant", "content": "so"},
        {"role": "assistant", "content": ""},
    ]
    assert [line["done"] for line in lines] == [False, False, True]
    assert lines[-1]["done_reason"] == "stop"
    assert (lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == (2, 1)
    assert all(line["model"] == "m" and line["created_at"] for line in lines)


def test_a_bare_generation_is_answered_in_responses() -> None:
    lines = encoded([*THINKING, *TEXT, *ENDING], flavor="generate")

    assert [(line["response"], line.get("thinking")) for line in lines] == [("", "hm"), ("so", None), ("", None)]


def test_thinking_is_not_shown_to_those_who_declined_it() -> None:
    assert len(encoded([*THINKING, *TEXT, *ENDING], EncodeOptions(asked={"think": False}))) == 2


def test_interleaved_calls_come_whole_in_order_and_text_after_them_after_them() -> None:
    events = [
        Started(id="r"),
        started(0, PartKind.TOOL_CALL, id="a", name="f"),
        started(1, PartKind.TOOL_CALL, name="g"),
        started(2, PartKind.TEXT),
        Delta(part=1, text='{"y":2}'),
        Delta(part=2, text="after"),
        Delta(part=0, text='{"x":1}'),
        PartEnded(part=2),
        PartEnded(part=1),
        PartEnded(part=0),
        ChoiceEnded(reason=StopReason.TOOL_USE),
        Ended(),
    ]

    first, second, text, _ = (line["message"] for line in encoded(events))
    assert first["tool_calls"] == [{"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}]
    assert second["tool_calls"] == [{"id": "call_r_1", "function": {"index": 1, "name": "g", "arguments": {"y": 2}}}]
    assert text["content"] == "after"


def test_of_several_answers_the_first_is_told() -> None:
    other = [started(5, PartKind.TEXT, choice=1), Delta(part=5, text="other"), PartEnded(part=5)]
    call = [started(6, PartKind.TOOL_CALL, choice=1), Sealed(part=6, kind="signature", value="x"), PartEnded(part=6)]
    ended = ChoiceEnded(choice=1, reason=StopReason.MAX_TOKENS)

    assert encoded([*THINKING, *other, *call, *TEXT, ended, *ENDING]) == encoded([*THINKING, *TEXT, *ENDING])


def test_what_somebody_measures_is_told_before_and_after_the_first_content() -> None:
    moments = iter((0.5, 2.0))

    last = encoded([*THINKING, *ENDING], EncodeOptions(elapsed_s=lambda: next(moments)))[-1]

    assert last["prompt_eval_duration"] == 500_000_000
    assert last["eval_duration"] == 1_500_000_000
    assert last["total_duration"] == 2_000_000_000


def test_a_failed_stream_ends_with_the_error_and_is_never_done() -> None:
    lines = encoded([*THINKING, Failed(kind="upstream_cut", message="Cut.")])

    assert lines[-1] == {"error": "Cut."}
    assert not any(line.get("done") for line in lines)


# --- laws ---------------------------------------------------------------------------------------------------------


def test_damaged_streams_obey_the_grammar_and_can_be_written_again() -> None:
    def law(rng: random.Random) -> None:
        events = decoded(damaged(rng, rng.choice(STREAMS)))
        again = decoded(b"".join(run(CODEC.stream_encoder(PLAIN), events)))
        assert type(again[-1]) is type(events[-1])
        assert [type(event) for event in ollama_stream(again)] == [type(event) for event in ollama_stream(events)]

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
        run(CODEC.stream_encoder(PLAIN), events)

    assert time.process_time() - began < 0.3  # a tenth of that is usual
