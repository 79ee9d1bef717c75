"""Streams written. Whole conversations are in `tests/golden`."""

from collections.abc import Iterable
from typing import Any

from iflow_cli_proxy.core import jsonx
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
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.stream import END_MARKER, StreamEncoder
from iflow_cli_proxy.protocols.base import EncodeOptions

OPTIONS = EncodeOptions(id="chatcmpl-9", model="standin", prompt_tokens=40)
TEXT = (PartStarted(part=0, kind=PartKind.TEXT), Delta(part=0, text="12345"), PartEnded(part=0))


def encode(*events: Event, options: EncodeOptions = OPTIONS) -> list[dict[str, Any]]:
    wire = b"".join(run(StreamEncoder(options), events))
    frames = run(Framer(), [wire])
    values = [jsonx.decode(frame.data) for frame in frames]
    assert [value["type"] for value in values] == [frame.event for frame in frames]
    return values


def types(values: Iterable[dict[str, Any]]) -> list[str]:
    return [value["type"] for value in values]


def test_a_message_begins_with_all_that_anthropic_promises() -> None:
    start = encode(Started(), *TEXT)[0]

    assert start["message"] == {
        "id": "msg_chatcmpl9",
        "type": "message",
        "role": "assistant",
        "model": "standin",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 40,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_the_events_come_in_the_documented_order() -> None:
    values = encode(Started(id="msg_7", model="m"), *TEXT, ChoiceEnded(), Ended())

    assert types(values) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert (values[0]["message"]["id"], values[0]["message"]["model"]) == ("msg_7", "m")


def test_the_last_counts_are_told_with_the_reason() -> None:
    reported = (UsageReported(usage=Usage(prompt=1)), UsageReported(usage=Usage(prompt=120, cached=100, completion=2)))
    end = ChoiceEnded(reason=StopReason.STOP_SEQUENCE, stop_sequence="END")

    delta = encode(Started(), *TEXT, end, *reported, Ended())[-2]

    assert delta["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert delta["usage"] == {
        "input_tokens": 20,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 100,
        "output_tokens": 2,
    }


def test_an_answer_nobody_counted_is_estimated() -> None:
    usage = encode(Started(), *TEXT, ChoiceEnded(), Ended())[-2]["usage"]

    assert (usage["input_tokens"], usage["output_tokens"]) == (40, 2)


def test_a_call_whose_answer_merely_ended_waits_for_its_result() -> None:
    call = (PartStarted(part=0, kind=PartKind.TOOL_CALL, name="f"), PartEnded(part=0))

    values = encode(Started(), *call, ChoiceEnded(), Ended())

    assert values[1]["content_block"] == {"type": "tool_use", "id": "toolu_chatcmpl9_0", "name": "f", "input": {}}
    assert values[-2]["delta"]["stop_reason"] == "tool_use"


def test_an_end_without_a_reason_is_still_a_documented_end() -> None:
    assert encode(Started(), *TEXT, Ended())[-2]["delta"]["stop_reason"] == "end_turn"
    assert types(encode(Started(), Ended())) == ["message_start", "message_delta", "message_stop"]


def test_only_the_first_answer_is_told() -> None:
    other = (
        PartStarted(part=1, kind=PartKind.REASONING, choice=1),
        Delta(part=1, text="x"),
        Sealed(part=1, kind="signature", value="x"),
        PartEnded(part=1),
        ChoiceEnded(choice=1, reason=StopReason.MAX_TOKENS),
        Extra(protocol="anthropic", fields={"x": 1}, choice=1),
    )

    assert encode(Started(), *other, *TEXT, ChoiceEnded(), Ended()) == encode(Started(), *TEXT, ChoiceEnded(), Ended())


def test_fields_of_our_own_protocol_ride_on_the_first_event_and_on_the_last() -> None:
    early, late = Extra(protocol="anthropic", fields={"a": 1}), Extra(protocol="anthropic", fields={"b": 2}, choice=0)
    foreign = Extra(protocol="openai_chat", fields={"system_fingerprint": "x"})

    values = encode(Started(), early, foreign, *TEXT, late, ChoiceEnded(), Ended())

    assert values[0]["message"]["a"] == 1
    assert values[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None, "b": 2}
    assert b"system_fingerprint" not in jsonx.encode(values)


def test_r4_a_failed_stream_never_looks_finished() -> None:
    failed = Failed(kind="upstream_overloaded", message="m")

    events: list[Event] = [Started(), *TEXT, failed]
    wire = b"".join(run(StreamEncoder(OPTIONS), events))

    assert END_MARKER not in wire
    assert b'"stop_reason":"' not in wire
    assert encode(Started(), *TEXT, failed)[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "m"},
    }
    assert types(encode(failed)) == ["error"]


def test_a_failure_after_the_reason_leaves_the_reason_standing() -> None:
    failed = Failed(kind="upstream_cut", message="m")

    assert types(encode(Started(), *TEXT, ChoiceEnded(), failed))[-2:] == ["message_delta", "error"]
