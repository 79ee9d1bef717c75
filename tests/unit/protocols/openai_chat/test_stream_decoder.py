"""Streams. Tests named `f..` are rows of RELIABILITY, section 2; whole conversations are in `tests/golden`."""

from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.errors import GatewayError, RateLimited
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
    Reply,
    Sealed,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.openai_chat.stream_decoder import StreamDecoder


def judge(body: Json) -> GatewayError | None:
    return RateLimited("Slow down.") if body.get("status") == "449" else None


def decode(*frames: Any, keeps_extras: bool = True) -> list[Event]:
    decoder = StreamDecoder(judge, frozenset({"network_error"}), keeps_extras=keeps_extras)
    data = [frame if isinstance(frame, bytes) else jsonx.encode(frame) for frame in frames]
    events = run(decoder, [Frame(one) for one in data])
    grammar.check(events)
    return events


def chunk(delta: Any = None, finish: str | None = None, index: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"id": "i", "choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}], **more}


def failure(events: list[Event]) -> str:
    assert isinstance(events[-1], Failed)
    return events[-1].kind


STOP = chunk({}, "stop")
DONE = b"[DONE]"


# --- how streams end -------------------------------------------------------------------------------------------------


def test_f17_a_finish_reason_without_an_end_marker_is_an_end() -> None:
    assert isinstance(decode(chunk({"content": "a"}), STOP)[-1], Ended)


def test_f16_content_without_a_finish_reason_is_cut() -> None:
    assert failure(decode(chunk({"content": "a"}))) == "upstream_cut"


def test_f16_one_of_two_answers_unfinished_is_cut() -> None:
    assert failure(decode(chunk({"content": "a"}), chunk({"content": "b"}, index=1), STOP)) == "upstream_cut"


def test_an_end_marker_without_a_finish_reason_is_taken_at_its_word_and_none_is_made_up() -> None:
    events = decode(chunk({"content": "a"}), DONE)

    assert isinstance(events[-1], Ended)
    assert not [event for event in events if isinstance(event, ChoiceEnded)]


@pytest.mark.parametrize(
    "frames",
    [(), (DONE,), (chunk({"role": "assistant", "content": ""}),), (chunk({"role": "assistant"}), DONE),
     ({"choices": []}, DONE), ({"choices": [], "usage": {"prompt_tokens": 5}}, DONE), ({"choices": []},)],
)  # fmt: skip
def test_f39_a_stream_without_an_answer_is_empty(frames: tuple[Any, ...]) -> None:
    assert failure(decode(*frames)) == "upstream_empty"


def test_an_answer_without_words_is_an_answer() -> None:
    assert isinstance(decode(STOP)[-1], Ended)


def test_nothing_counts_after_the_end() -> None:
    assert decode(STOP, DONE, chunk({"content": "a"}), b"garbage") == decode(STOP, DONE)


def test_a_repeated_finish_reason_and_what_follows_it_adds_nothing() -> None:
    assert decode(STOP, chunk({"content": "late"}, "length"), DONE) == decode(STOP, DONE)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"garbage", "upstream_malformed"),
        (b'{"choices":[{"del', "upstream_cut"),
        (b"null", "upstream_malformed"),
        (b"[]", "upstream_malformed"),
        (b'{"choices":5}', "upstream_malformed"),
        ({"choices": [{"index": 0, "delta": {"content": 5}}]}, "upstream_malformed"),
        ({"choices": [{"index": -1, "delta": {"content": "a"}}]}, "upstream_malformed"),
        (b'{"choices":[{"delta":{"content":"\xff"}}]}', "upstream_malformed"),
        (b'{"choices":[],"x":%b}' % (b"9" * 6_000), "upstream_malformed"),
        (b'{"choices":[],"x":1e400}', "upstream_malformed"),
        (b'{"choices":[],"x":%b}' % (b"[" * 300 + b"]" * 300), "upstream_malformed"),
        (b'{"choices":[],"x":%b}' % (b"[" * 100_000), "upstream_malformed"),
        ({"status": "449", "msg": "x", "body": None}, "rate_limited"),
        ({"error": {"message": "x"}}, "upstream_malformed"),
        (chunk({}, "network_error"), "upstream_failing"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_f41_a_bad_frame_ends_the_stream_and_what_came_before_it_stands(frame: Any, kind: str) -> None:
    assert failure(decode(frame)) == kind
    events = decode(chunk({"content": "a"}), frame, STOP, DONE)
    assert failure(events) == kind
    assert [event.text for event in events if isinstance(event, Delta)] == ["a"]


@pytest.mark.parametrize("keeps_extras", [True, False])
def test_the_judge_is_asked_what_a_failing_stop_word_means_and_its_text_is_no_answer(keeps_extras: bool) -> None:
    events = decode(chunk({"content": "<429>"}, "network_error", status="449"), keeps_extras=keeps_extras)

    assert failure(events) == "rate_limited"
    assert not any(isinstance(event, Delta) for event in events)


def test_an_error_field_that_says_nothing_is_no_error() -> None:
    for error in (None, "", {}, False):
        assert isinstance(decode(chunk({"content": "a"}, error=error), STOP)[-1], Ended)


# --- what they say ---------------------------------------------------------------------------------------------------


def test_parts_are_inferred_where_the_kind_of_text_changes() -> None:
    events = decode(
        chunk({"reasoning_content": "r"}), chunk({"signature": "s"}), chunk({"content": "a"}), chunk({"content": "b"}),
        chunk({"refusal": "n"}), STOP,
    )  # fmt: skip

    assert events == [
        Started(id="i"),
        PartStarted(part=0, kind=PartKind.REASONING),
        Delta(part=0, text="r"),
        Sealed(part=0, kind="signature", value="s"),
        PartEnded(part=0),
        PartStarted(part=1, kind=PartKind.TEXT),
        Delta(part=1, text="a"),
        Delta(part=1, text="b"),
        PartEnded(part=1),
        PartStarted(part=2, kind=PartKind.REFUSAL),
        Delta(part=2, text="n"),
        PartEnded(part=2),
        ChoiceEnded(),
        Ended(),
    ]


def test_both_names_of_thinking_are_read_but_only_once() -> None:
    (text,) = [event.text for event in decode(chunk({"reasoning": "r", "reasoning_content": "r"}), STOP)
               if isinstance(event, Delta)]  # fmt: skip

    assert text == "r"


def test_calls_stay_open_beside_text_until_their_answer_ends() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "function": {"arguments": "}"}}
    reply = assemble(
        decode(chunk({"tool_calls": [call]}), chunk({"content": "a"}), chunk({"tool_calls": [more]}), STOP)
    )

    assert isinstance(reply, Reply)
    assert [(part.kind, part.text) for part in reply.choices[0].parts] == [("tool_call", "{}"), ("text", "a")]


def test_f43_a_whole_answer_in_one_frame_is_a_stream_of_one() -> None:
    calls = [{"function": {"name": "f", "arguments": {}}}, {"function": {"name": "f", "arguments": ""}}]
    message = {"role": "assistant", "content": "a", "reasoning_content": "r", "tool_calls": calls}
    frame = {"choices": [{"message": message, "finish_reason": "tool_calls"}, {"message": {"content": "b"}}]}
    reply = assemble(decode(frame, DONE))

    assert isinstance(reply, Reply)
    assert [part.text for part in reply.choices[0].parts] == ["r", "a", "{}", ""]
    assert [part.text for part in reply.choices[1].parts] == ["b"]


def test_extras_come_once_for_each_value_and_not_at_all_when_not_wanted() -> None:
    frames = [chunk({"content": "a"}, system_fingerprint="x"), chunk({"content": "b"}, system_fingerprint="x"),
              chunk({}, "stop", system_fingerprint="y", service_tier=None)]  # fmt: skip

    extras = [event.fields for event in decode(*frames) if isinstance(event, Extra)]
    assert extras == [{"system_fingerprint": "x"}, {"system_fingerprint": "y"}]
    assert not [event for event in decode(*frames, keeps_extras=False) if isinstance(event, Extra)]


def test_usage_is_reported_when_it_says_something() -> None:
    events = decode(chunk({}, "stop", usage={"prompt_tokens": 1}), {"choices": [], "usage": {"prompt_tokens": 0}}, DONE)

    assert [event.usage for event in events if isinstance(event, UsageReported)] == [Usage(prompt=1)]


def call(index: int | None, **fields: Any) -> dict[str, Any]:
    function = {name: fields[name] for name in ("name", "arguments") if name in fields}
    named = {"id": fields["id"]} if "id" in fields else {}
    return chunk({"tool_calls": [{"index": index, **named, "function": function}]})


def called(events: list[Event]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of every call."""
    parts = {event.part: event for event in events if isinstance(event, PartStarted)}
    texts = {part: "".join(e.text for e in events if isinstance(e, Delta) and e.part == part) for part in parts}
    return [(start.id, start.name, texts[part]) for part, start in parts.items()]


def test_two_calls_under_one_id_are_two_and_only_the_first_keeps_it() -> None:
    events = decode(
        call(0, id="a", name="f", arguments='{"x":1}'), call(1, id="a", name="g", arguments='{"x":2}'), STOP, DONE
    )

    assert called(events) == [("a", "f", '{"x":1}'), ("", "g", '{"x":2}')]


def test_a_call_that_is_sent_whole_again_and_again_is_one() -> None:
    events = decode(call(0, id="a", name="f", arguments="{"), call(0, id="a", name="f", arguments="}"), STOP, DONE)

    assert called(events) == [("a", "f", "{}")]


def test_a_name_that_comes_late_is_waited_for_with_what_came_before_it() -> None:
    events = decode(call(0, id="a", arguments="{"), call(0, name="f"), call(0, arguments="}"), STOP, DONE)

    assert called(events) == [("a", "f", "{}")]
    assert called(decode(call(0, id="a", arguments="{}"), STOP, DONE)) == [("a", "", "{}")]


def test_text_as_a_list_of_parts_is_text_and_the_thinking_in_it_thinking() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes"},
        {"type": "text", "text": "."},
    ]
    events = decode(chunk({"content": parts}), STOP, DONE)

    assert [(e.part, e.text) for e in events if isinstance(e, Delta)] == [(0, "Hm."), (1, "Yes.")]


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_the_stop_sequence_that_a_server_names_is_told(field: str) -> None:
    last = chunk({}, "stop")
    last["choices"][0][field] = "###"
    ends = [event for event in decode(chunk({"content": "a"}), last, DONE) if isinstance(event, ChoiceEnded)]

    assert [(end.reason, end.stop_sequence) for end in ends] == [(StopReason.STOP_SEQUENCE, "###")]
