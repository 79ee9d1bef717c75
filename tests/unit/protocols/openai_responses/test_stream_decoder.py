from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartKind,
    Reply,
    ReplyPart,
    Started,
    StopReason,
)
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.openai_responses.errors import decode_error
from iflow_cli_proxy.protocols.openai_responses.stream_decoder import StreamDecoder

CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 7}}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}}
MESSAGE = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def decoded(*events: Any) -> list[Event]:
    frames = [Frame(one if isinstance(one, bytes) else jsonx.encode(one)) for one in events]
    found = run(StreamDecoder(decode_error, frozenset({"network_error"})), frames)
    grammar.check(found)
    return found


def parts(*events: Any) -> tuple[ReplyPart, ...]:
    reply = assemble(decoded(CREATED, *events, COMPLETED))
    assert isinstance(reply, Reply)
    return reply.choices[0].parts


def test_the_beginning_is_told_once() -> None:
    found = decoded(CREATED, event("in_progress", response={}), COMPLETED)

    assert found == [Started(id="resp_1", model="m", created=7), ChoiceEnded(), Ended()]


def test_what_only_the_complete_item_says_is_taken_from_it() -> None:
    assert parts(event("output_item.done", output_index=0, item=MESSAGE)) == (
        ReplyPart(kind=PartKind.TEXT, text="Hello"),
    )


def test_what_the_pieces_left_out_is_taken_from_the_whole_text() -> None:
    piece = event("output_text.delta", output_index=0, content_index=0, delta="Hel")
    whole = event("output_text.done", output_index=0, content_index=0, text="Hello")

    assert parts(piece, whole) == (ReplyPart(kind=PartKind.TEXT, text="Hello"),)
    assert parts(piece, event("output_item.done", output_index=0, item=MESSAGE)) == (
        ReplyPart(kind=PartKind.TEXT, text="Hello"),
    )


def test_an_answer_that_is_only_in_the_last_event_is_an_answer() -> None:
    last = event("completed", response={"output": [MESSAGE, CALL | {"arguments": "{}"}], "status": "completed"})
    reply = assemble(decoded(last))

    assert isinstance(reply, Reply)
    assert [part.kind for part in reply.choices[0].parts] == [PartKind.TEXT, PartKind.TOOL_CALL]
    assert reply.choices[0].reason is StopReason.TOOL_USE


def test_what_has_been_told_is_not_taken_again_from_the_last_event() -> None:
    last = event("completed", response={"output": [{"type": "web_search_call"}, MESSAGE], "status": "completed"})
    reply = assemble(decoded(CREATED, event("output_item.done", output_index=0, item=MESSAGE), last))

    assert isinstance(reply, Reply)
    assert len(reply.choices[0].parts) == 1


def test_places_may_be_missing_where_ids_tell() -> None:
    other = CALL | {"id": "fc_2", "call_id": "d"}
    found = parts(
        event("output_item.added", output_index=0, item=CALL),
        event("output_item.added", output_index=1, item=other),
        event("function_call_arguments.delta", item_id="fc_1", delta="[1]"),
        event("function_call_arguments.delta", item_id="fc_2", delta="[2]"),
    )

    assert [(part.id, part.text) for part in found] == [("c", "[1]"), ("d", "[2]")]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert parts(event("output_item.added", output_index=0, item=CALL))[0].text == "{}"


def test_a_custom_tools_input_is_the_one_argument_of_its_function() -> None:
    item = {"type": "custom_tool_call", "id": "ctc", "call_id": "c", "name": "apply_patch", "input": ""}
    found = parts(
        event("output_item.added", output_index=0, item=item),
        event("custom_tool_call_input.delta", output_index=0, item_id="ctc", delta="a"),
        event("output_item.done", output_index=0, item=item | {"input": 'a"b'}),
    )

    assert found == (ReplyPart(kind=PartKind.TOOL_CALL, text='{"input":"a\\"b"}', id="c", name="apply_patch"),)


def test_several_summaries_are_one_thinking() -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "gA"}
    found = parts(
        event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs", "summary": []}),
        event("reasoning_summary_part.added", output_index=0, summary_index=0),
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a"),
        event("reasoning_summary_text.done", output_index=0, summary_index=0, text="a"),
        event("reasoning_summary_part.added", output_index=0, summary_index=1),
        event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="b"),
        event("reasoning_summary_text.done", output_index=0, summary_index=1, text="b"),
        event("output_item.done", output_index=0, item=item),
    )

    assert found == (ReplyPart(kind=PartKind.REASONING, text="a\n\nb", seals={"encrypted": "gA"}),)


def test_thinking_that_is_told_twice_is_heard_once() -> None:
    found = parts(
        event("reasoning_text.delta", output_index=0, content_index=0, delta="in full"),
        event("reasoning_summary_part.added", output_index=0, summary_index=0),
        event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="in short"),
    )

    assert found == (ReplyPart(kind=PartKind.REASONING, text="in full"),)


def test_items_and_events_nobody_knows_are_an_ordinary_tuesday() -> None:
    found = decoded(
        CREATED,
        event("output_item.added", output_index=0, item={"type": "web_search_call", "id": "ws"}),
        event("web_search_call.searching", output_index=0),
        event("output_item.done", output_index=0, item={"type": "web_search_call", "id": "ws"}),
        {"type": "keepalive", "sequence_number": 3},
        COMPLETED,
    )

    assert [type(one) for one in found] == [Started, ChoiceEnded, Ended]


def test_extras_of_the_response_are_kept() -> None:
    found = decoded(CREATED, event("completed", response={"status": "completed", "output": [], "x": 1}))

    assert Extra(protocol="openai_responses", fields={"x": 1}) in found


@pytest.mark.parametrize(
    ("last", "kind", "message"),
    [
        (event("failed", response={"error": {"code": "server_error", "message": "Crashed."}}), None, "Crashed."),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None},
            "rate_limited",
            "Slow down.",
        ),
        ({"type": "error", "error": {"type": "server_error", "message": "Crashed."}}, "upstream_failing", "Crashed."),
        ({"error": {"type": "server_error", "message": "Crashed."}}, "upstream_failing", "Crashed."),
        (event("incomplete", response={"status": "incomplete", "incomplete_details": {"reason": "network_error"}}),
         "upstream_failing", None),
        (event("completed"), "upstream_malformed", None),
        (b"[1]", "upstream_malformed", None),
        (b"{}", "upstream_malformed", None),
        (b'{"type":', "upstream_cut", None),
        (b"[DONE]", "upstream_cut", None),
    ],
)  # fmt: skip
def test_a_failure_is_the_last_event(last: Any, kind: str | None, message: str | None) -> None:
    found = decoded(CREATED, event("output_text.delta", output_index=0, delta="Hel"), last, COMPLETED)

    failure = found[-1]
    assert isinstance(failure, Failed)
    assert kind is None or failure.kind == kind
    assert message is None or failure.message == message
    assert Delta(part=0, text="Hel") in found


@pytest.mark.parametrize("events", [[], [CREATED], [b"[DONE]"]])
def test_a_stream_with_nothing_in_it_is_empty(events: list[Any]) -> None:
    failure = decoded(*events)[-1]

    assert isinstance(failure, Failed)
    assert failure.kind == "upstream_empty"


def test_a_done_after_the_end_means_nothing() -> None:
    assert decoded(CREATED, COMPLETED, b"[DONE]")[-1] == Ended()
