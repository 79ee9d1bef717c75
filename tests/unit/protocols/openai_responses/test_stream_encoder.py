from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Overloaded
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
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses.stream_encoder import StreamEncoder

OPTIONS = EncodeOptions(id="chatcmpl-1", created=5, model="m")
TEXT: list[Event] = [
    Started(id="x", model="real"),
    PartStarted(part=0, kind=PartKind.TEXT),
    Delta(part=0, text="Hi 100%"),
    PartEnded(part=0),
]


def told(*events: Event, options: EncodeOptions = OPTIONS) -> list[dict[str, Any]]:
    return read(b"".join(run(StreamEncoder(options), events)))


def read(wire: bytes) -> list[dict[str, Any]]:
    frames = run(Framer(), [wire])
    events = [jsonx.decode(frame.data) for frame in frames]
    assert [event["type"] for event in events] == [frame.event for frame in frames]
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def call(name: str, *pieces: str, part: int = 0) -> list[Event]:
    deltas = [Delta(part=part, text=piece) for piece in pieces]
    return [PartStarted(part=part, kind=PartKind.TOOL_CALL, id=f"c{part}", name=name), *deltas, PartEnded(part=part)]


def test_a_text_has_its_whole_sequence_numbered_without_a_gap() -> None:
    events = told(*TEXT, ChoiceEnded(), UsageReported(usage=Usage(prompt=1, completion=2)), Ended())

    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(9))
    assert (events[4]["delta"], events[5]["text"], events[6]["part"]["text"]) == ("Hi 100%",) * 3
    assert events[7]["item"]["content"] == [events[6]["part"]]
    last = events[8]["response"]
    assert last["output"] == [events[7]["item"]]
    assert (last["id"], last["model"], last["created_at"], last["status"]) == ("resp_1", "real", 5, "completed")
    assert last["usage"]["total_tokens"] == 3


def test_thinking_is_a_summary_and_its_seal_stands_in_the_complete_item() -> None:
    events = told(
        Started(),
        PartStarted(part=0, kind=PartKind.REASONING),
        Delta(part=0, text="Hm"),
        Sealed(part=0, kind="encrypted", value="gA"),
        Sealed(part=0, kind="encrypted", value="AA"),
        PartEnded(part=0),
        Ended(),
    )

    assert kinds(events)[2:-1] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
    ]  # fmt: skip
    assert events[-2]["item"]["encrypted_content"] == "gAAA"
    assert events[2]["item"] == {"id": "rs_1_0", "type": "reasoning", "summary": [], "encrypted_content": None}


def test_a_refusal_is_a_message_too() -> None:
    events = told(
        Started(), PartStarted(part=0, kind=PartKind.REFUSAL), Delta(part=0, text="No"), PartEnded(part=0), Ended()
    )

    assert kinds(events)[3:6] == ["content_part.added", "refusal.delta", "refusal.done"]
    assert events[5]["refusal"] == "No"
    assert events[-2]["item"]["content"] == [{"type": "refusal", "refusal": "No"}]


def test_calls_may_be_open_at_the_same_time() -> None:
    first, second = call("f", '{"a":', "1}"), call("g", "{}", part=1)
    events = told(Started(), first[0], second[0], first[1], second[1], first[2], second[2], first[3], Ended())

    added, done = ([e for e in events if e["type"] == f"response.output_item.{step}"] for step in ("added", "done"))
    assert [event["output_index"] for event in added] == [0, 1]
    assert [event["output_index"] for event in done] == [1, 0]
    assert [item["arguments"] for item in events[-1]["response"]["output"]] == ['{"a":1}', "{}"]
    assert added[0]["item"]["arguments"] == ""


@pytest.mark.parametrize("pieces", [(), ("",)])
def test_a_call_without_arguments_has_an_empty_object(pieces: tuple[str, ...]) -> None:
    events = told(Started(), *call("f", *pieces), Ended())

    assert "".join(e["delta"] for e in events if e["type"].endswith("arguments.delta")) == "{}"
    assert events[-2]["item"]["arguments"] == "{}"


def test_a_custom_tools_input_is_plain_text() -> None:
    asked = {"tools": [{"type": "custom", "name": "apply_patch"}]}
    events = told(
        Started(),
        *call("apply_patch", '{"input":"*** ', 'Begin\\n"}'),
        Ended(),
        options=EncodeOptions(id="chatcmpl-1", asked=asked),
    )

    assert kinds(events)[2:-1] == [
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done",
    ]  # fmt: skip
    assert (events[2]["item"]["type"], events[2]["item"]["input"]) == ("custom_tool_call", "")
    assert events[3]["delta"] == events[4]["input"] == events[5]["item"]["input"] == "*** Begin\n"


def test_a_call_into_a_namespace_names_both() -> None:
    asked = {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]}
    events = told(Started(), *call("n__f", "{}"), Ended(), options=EncodeOptions(asked=asked))

    item = events[-2]["item"]
    assert (item["name"], item["namespace"]) == ("f", "n")
    assert events[2]["item"]["namespace"] == "n"


@pytest.mark.parametrize(
    ("reason", "word", "status", "details"),
    [
        (StopReason.MAX_TOKENS, "", "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.CONTENT_FILTER, "", "incomplete", {"reason": "content_filter"}),
        (StopReason.OTHER, "sensitive", "incomplete", {"reason": "sensitive"}),
        (StopReason.STOP_SEQUENCE, "", "completed", None),
    ],
)
def test_why_it_ended_is_its_last_event(reason: StopReason, word: str, status: str, details: object) -> None:
    last = told(*TEXT, ChoiceEnded(reason=reason, word=word), Ended())[-1]

    assert last["type"] == f"response.{status}"
    assert (last["response"]["status"], last["response"]["incomplete_details"]) == (status, details)


def test_a_failure_keeps_what_was_complete() -> None:
    last = told(*TEXT, Failed(kind="upstream_cut", message="Cut off."))[-1]

    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "upstream_cut", "message": "Cut off."}
    assert len(last["response"]["output"]) == 1


def test_of_several_answers_the_first_is_told() -> None:
    other: list[Event] = [
        PartStarted(part=1, kind=PartKind.TEXT, choice=1),
        Delta(part=1, text="b"),
        PartEnded(part=1),
        ChoiceEnded(choice=1, reason=StopReason.MAX_TOKENS),
    ]
    events = told(*TEXT, *other, ChoiceEnded(), Ended())

    assert events[-1]["response"]["status"] == "completed"
    assert len(events[-1]["response"]["output"]) == 1


def test_nothing_goes_out_before_there_is_something_to_see() -> None:
    encoder = StreamEncoder(OPTIONS)

    assert [encoder.feed(event) for event in TEXT[:2]] == [[], []]
    assert kinds(read(b"".join(encoder.feed(TEXT[2])))) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
    ]  # fmt: skip


def test_a_stream_that_is_broken_off_ends_where_it_was() -> None:
    encoder = StreamEncoder(OPTIONS)
    begun = b"".join(frame for event in TEXT for frame in encoder.feed(event))
    events = read(begun + encoder.break_off(Overloaded("Too busy.")))

    assert kinds(events)[-1] == "failed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_stream_of_which_nothing_went_out_is_broken_off_from_its_beginning() -> None:
    encoder = StreamEncoder(OPTIONS)
    for event in TEXT[:2]:
        encoder.feed(event)
    events = read(encoder.break_off(Overloaded("Too busy.")))

    assert kinds(events) == ["created", "in_progress", "failed"]
    assert {(event["response"]["id"], event["response"]["model"]) for event in events} == {("resp_1", "real")}


def test_extras_of_its_own_protocol_return_at_the_end() -> None:
    events = told(
        *TEXT, Extra(protocol="openai_responses", fields={"x": 1}), Extra(protocol="y", fields={"z": 1}), Ended()
    )

    assert events[-1]["response"]["x"] == 1
    assert "z" not in events[-1]["response"]


def test_the_finished_response_is_at_hand() -> None:
    encoder = StreamEncoder(OPTIONS)
    run(encoder, TEXT)
    assert encoder.response is None

    (last,) = read(b"".join(encoder.feed(Ended())))
    assert encoder.response == last["response"]


def test_a_call_that_was_cut_by_a_limit_is_not_complete() -> None:
    cut = [*TEXT, *call("f", '{"a":', part=1), Extra(protocol="x", fields={}, choice=0)]
    events = told(*cut, ChoiceEnded(reason=StopReason.MAX_TOKENS), Ended())

    done = [event["item"]["status"] for event in events if event["type"] == "response.output_item.done"]
    assert done == ["completed", "incomplete"]
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["completed", "incomplete"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_an_item_that_had_ended_is_told_so_before_the_stream_breaks_off() -> None:
    encoder = StreamEncoder(OPTIONS)
    sent = b"".join(run(encoder, TEXT[:-1])) + b"".join(encoder.feed(TEXT[-1]))
    events = read(sent + encoder.break_off(Overloaded("Full.")))

    assert kinds(events)[-2:] == ["output_item.done", "failed"]
    assert [item["content"][0]["text"] for item in events[-1]["response"]["output"]] == ["Hi 100%"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
