"""Streams read. Whole conversations are in `tests/golden`."""

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
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.errors import decode_error
from iflow_cli_proxy.protocols.anthropic.reading import StreamDecoder

START: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_1", "model": "m"}}
STOP = {"type": "content_block_stop", "index": 0}
END: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
OVER = {"type": "message_stop"}
STARTED = Started(id="msg_1", model="m")


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": {"type": kind, **fields}}


def delta(**fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": fields}


def decode(*frames: Any) -> list[Event]:
    decoder = StreamDecoder(decode_error, frozenset({"network_error"}))
    data = [frame if isinstance(frame, bytes) else jsonx.encode(frame) for frame in frames]
    events = run(decoder, [Frame(one) for one in data])
    grammar.check(events)
    return events


def inner(*frames: Any) -> list[Event]:
    """The events between Started and the end of a good stream."""
    events = decode(START, *frames, END, OVER)
    assert events[0] == STARTED
    assert events[-2:] == [ChoiceEnded(), Ended()]
    return events[1:-2]


def failure(*frames: Any) -> str:
    last = decode(*frames)[-1]
    assert isinstance(last, Failed)
    return last.kind


TEXT = (block("text", text=""), delta(text="a"), STOP)


def test_a_text_is_a_part_once_there_is_some() -> None:
    assert inner(*TEXT) == [PartStarted(part=0, kind=PartKind.TEXT), Delta(part=0, text="a"), PartEnded(part=0)]
    assert inner(block("text", text=""), STOP) == []
    assert inner(block("text", text="a"), STOP) == inner(*TEXT)


def test_thinking_is_sealed_by_its_signature_unless_that_is_empty() -> None:
    thinking = [PartStarted(part=0, kind=PartKind.REASONING), Delta(part=0, text="t")]
    seal = Sealed(part=0, kind="signature", value="s")

    begun = (block("thinking", thinking="", signature=""), delta(thinking="t"))
    assert inner(*begun, delta(signature="s"), STOP) == [*thinking, seal, PartEnded(part=0)]
    assert inner(*begun, delta(signature=""), STOP) == [*thinking, PartEnded(part=0)]


def test_thinking_that_may_not_be_read_is_only_its_seal() -> None:
    assert inner(block("redacted_thinking", data="d"), STOP) == [
        PartStarted(part=0, kind=PartKind.REASONING),
        Sealed(part=0, kind="redacted", value="d"),
        PartEnded(part=0),
    ]


@pytest.mark.parametrize(
    ("frames", "texts"),
    [
        ([delta(partial_json=""), delta(partial_json='{"a"'), delta(partial_json=":1}")], ['{"a"', ":1}"]),
        ([], []),
    ],
)
def test_a_call_is_there_from_its_start(frames: list[Any], texts: list[str]) -> None:
    assert inner(block("tool_use", id="t1", name="f", input={}), *frames, STOP) == [
        PartStarted(part=0, kind=PartKind.TOOL_CALL, id="t1", name="f"),
        *(Delta(part=0, text=text) for text in texts),
        PartEnded(part=0),
    ]


def test_arguments_that_came_with_the_start_count_when_no_pieces_follow() -> None:
    start = block("tool_use", id="t1", name="f", input={"a": 1})

    assert inner(start, STOP)[1] == Delta(part=0, text='{"a":1}')
    assert inner(start, delta(partial_json="{}"), STOP)[1:] == [Delta(part=0, text="{}"), PartEnded(part=0)]


def test_blocks_of_anthropics_own_tools_and_events_of_tomorrow_are_passed_over() -> None:
    server = (block("server_tool_use", id="s", name="web_search", input={}), delta(partial_json="{}"), STOP)

    assert inner({"type": "ping"}, *server, {"type": "invented"}, *TEXT) == inner(*TEXT)


def test_a_block_that_never_ended_ends_with_the_next_or_with_the_answer() -> None:
    kinds = [type(event) for event in inner(block("text", text="a"), block("text", text="b"))]

    assert kinds == [PartStarted, Delta, PartEnded] * 2


def test_a_stream_without_its_first_event_is_understood() -> None:
    assert decode(*TEXT, END, OVER)[0] == Started()


def test_counts_are_cumulative_and_reported_once_for_each_change() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    end = END | {"usage": {"output_tokens": 4}}

    usages = [event for event in decode(start, *TEXT, end, end, OVER) if isinstance(event, UsageReported)]

    assert usages == [UsageReported(usage=Usage(prompt=7, completion=4))]


def test_why_it_ended_and_what_was_not_modelled_is_told() -> None:
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END", "container": {"id": "c"}},
        "context_management": {"applied_edits": []},
    }
    start = {"type": "message_start", "message": {"service": 1, "container": None}}

    events = decode(start, *TEXT, end, OVER)

    assert events[1] == Extra(protocol="anthropic", fields={"service": 1})
    assert events[-3:] == [
        Extra(protocol="anthropic", fields={"container": {"id": "c"}, "context_management": {"applied_edits": []}}),
        ChoiceEnded(reason=StopReason.STOP_SEQUENCE, stop_sequence="END"),
        Ended(),
    ]


def test_a_reason_is_an_end_even_where_the_last_event_is_missing() -> None:
    assert decode(START, *TEXT, END)[-1] == Ended()


def test_an_end_in_due_form_without_a_reason_goes_by_what_was_said() -> None:
    call = (block("tool_use", id="t", name="f"), STOP)

    assert decode(START, *TEXT, OVER)[-2:] == [ChoiceEnded(), Ended()]
    assert decode(START, *call, OVER)[-2:] == [ChoiceEnded(reason=StopReason.TOOL_USE), Ended()]


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([], "upstream_empty"),
        ([START], "upstream_empty"),
        ([START, OVER], "upstream_empty"),
        ([START, block("text", text="")], "upstream_empty"),
        ([START, *TEXT], "upstream_cut"),
        ([START, block("text", text="a")], "upstream_cut"),
        ([START, block("text", text="a"), OVER], "upstream_cut"),
        ([START, b'{"type":"content_block_de'], "upstream_cut"),
        ([START, delta(text="a")], "upstream_malformed"),
        ([START, {"choices": []}], "upstream_malformed"),
        ([START, b"<html>"], "upstream_malformed"),
        ([START, {"type": "error", "error": {"type": "overloaded_error", "message": "m"}}], "upstream_overloaded"),
        ([START, *TEXT, {"type": "message_delta", "delta": {"stop_reason": "network_error"}}], "upstream_failing"),
    ],
)
def test_what_is_no_whole_answer_fails(frames: list[Any], kind: str) -> None:
    assert failure(*frames) == kind


def test_nothing_follows_the_end() -> None:
    assert decode(START, *TEXT, END, *TEXT, OVER, *TEXT) == decode(START, *TEXT, END, OVER)
