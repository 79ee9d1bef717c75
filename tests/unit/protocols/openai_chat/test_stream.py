"""Streams. Tests named `f..` are rows of RELIABILITY, section 2; whole conversations are in `tests/golden`."""

from collections.abc import Iterable
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
from iflow_cli_proxy.core.sse import Frame, Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_chat.reply import stand_in_id
from iflow_cli_proxy.protocols.openai_chat.stream import END_MARKER, StreamDecoder, StreamEncoder


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


# --- decode: how streams end ---------------------------------------------------------------------------------------


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


# --- decode: what they say ------------------------------------------------------------------------------------------


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


# --- encode ---------------------------------------------------------------------------------------------------------

TEXT = [
    Started(id="i", model="m", created=7),
    PartStarted(part=0, kind=PartKind.TEXT),
    Delta(part=0, text="a"),
    PartEnded(part=0),
    ChoiceEnded(reason=StopReason.MAX_TOKENS),
    UsageReported(usage=Usage(prompt=3, completion=1)),
    Ended(),
]


def encode(events: Iterable[Event], **options: Any) -> list[Any]:
    """The JSON of every frame, and the end marker as text."""
    wire = b"".join(run(StreamEncoder(EncodeOptions(**options)), events))
    assert wire.endswith(b"\n\n") or not wire
    return [frame.data.decode() if frame.data == DONE else jsonx.decode(frame.data) for frame in run(Framer(), [wire])]


def deltas(frames: list[Any]) -> list[Any]:
    return [choice["delta"] for frame in frames if isinstance(frame, dict) for choice in frame.get("choices", ())]


def test_a_stream_is_role_content_finish_usage_and_end_marker() -> None:
    head = {"id": "i", "object": "chat.completion.chunk", "created": 7, "model": "m"}

    def one(delta: Any, finish: str | None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    assert encode(TEXT) == [
        one({"role": "assistant", "content": ""}, None),
        one({"content": "a"}, None),
        one({}, "length"),
        {**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}},
        "[DONE]",
    ]


def test_usage_is_for_those_who_asked() -> None:
    assert not [frame for frame in encode(TEXT, shows_usage=False) if "usage" in frame]
    assert encode([*TEXT[:5], Ended()])[-2]["usage"]["total_tokens"] == 0


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_f16_a_failed_stream_ends_in_an_error_without_marker_and_without_a_made_up_reason(length: int) -> None:
    frames = encode([*TEXT[:length], Failed(kind="upstream_cut", message="m")])

    assert frames[-1] == {"error": {"message": "m", "type": "upstream_error", "param": None, "code": "upstream_cut"}}
    reasons = [choice["finish_reason"] for frame in frames[:-1] for choice in frame["choices"]]
    assert [reason for reason in reasons if reason] == (["length"] if length > 4 else [])


def test_gaps_are_filled_from_the_options() -> None:
    call = PartStarted(part=0, kind=PartKind.TOOL_CALL, name="f")
    frames = encode([Started(), call, PartEnded(part=0), ChoiceEnded(), Ended()], id="chatcmpl-1", created=9, model="m")

    assert (frames[0]["id"], frames[0]["created"], frames[0]["model"]) == ("chatcmpl-1", 9, "m")
    assert deltas(frames)[1]["tool_calls"][0]["id"] == stand_in_id("chatcmpl-1.0", 0)


def test_calls_are_numbered_within_their_answer() -> None:
    events: list[Event] = [Started()]
    for part, choice in enumerate((0, 1, 0)):
        events += [PartStarted(part=part, kind=PartKind.TOOL_CALL, choice=choice, id=f"c{part}", name="f"),
                   Delta(part=part, text="{}")]  # fmt: skip
    frames = encode(events)

    seen = [(frame["choices"][0]["index"], delta["tool_calls"][0]["index"])
            for frame, delta in zip(frames, deltas(frames), strict=True) if "tool_calls" in delta]  # fmt: skip
    assert seen == [(0, 0), (0, 0), (1, 0), (1, 0), (0, 1), (0, 1)]


def test_thinking_that_is_merged_is_parted_from_the_text_once() -> None:
    events = [
        Started(),
        PartStarted(part=0, kind=PartKind.REASONING),
        Delta(part=0, text="r"),
        Sealed(part=0, kind="signature", value="s"),
        PartEnded(part=0),
        PartStarted(part=1, kind=PartKind.TEXT),
        Delta(part=1, text="a"),
        Delta(part=1, text="b"),
        PartEnded(part=1),
    ]

    assert deltas(encode(events, merges_reasoning=True))[1:] == [
        {"content": "r"},
        {"content": "\n\na"},
        {"content": "b"},
    ]
    assert deltas(encode(events))[1:3] == [{"reasoning_content": "r"}, {"signature": "s"}]


def test_extras_ride_on_the_next_chunk_and_none_is_lost() -> None:
    events = [
        Started(),
        Extra(protocol="openai_chat", fields={"system_fingerprint": "fp"}),
        Extra(protocol="openai_chat", fields={"logprobs": {"content": [1]}, "message": {"note": "n"}}, choice=0),
        *TEXT[1:4],
        Extra(protocol="openai_chat", fields={"matched_stop": 5}, choice=0),
        Extra(protocol="openai_chat", fields={"another": 6}, choice=0),
        ChoiceEnded(),
        Extra(protocol="openai_chat", fields={"late": 1}),
        Ended(),
    ]
    frames = encode(events)

    assert frames[0]["system_fingerprint"] == "fp"
    assert "system_fingerprint" not in frames[1]
    assert frames[1]["choices"][0] == {
        "index": 0,
        "delta": {"content": "a", "note": "n"},
        "finish_reason": None,
        "logprobs": {"content": [1]},
    }
    assert [frame["choices"][0].get("matched_stop") for frame in frames[2:4]] == [5, None]
    assert frames[3]["choices"][0]["another"] == 6
    assert frames[3]["choices"][0]["finish_reason"] == "stop"
    assert frames[4]["late"] == 1
    assert encode(events, shows_usage=False)[-2] == {**_head(frames[0]), "choices": [], "late": 1}


def _head(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in ("id", "object", "created", "model")}


def test_extras_and_seals_of_another_protocol_are_left_out() -> None:
    foreign = [Extra(protocol="anthropic", fields={"x": 1}), Extra(protocol="anthropic", fields={"x": 1}, choice=0)]
    sealed = Sealed(part=0, kind="encrypted", value="e")

    assert encode([TEXT[0], *foreign, *TEXT[1:3], sealed, *TEXT[3:]]) == encode(TEXT)


@pytest.mark.parametrize("text", ['"', "\\", "\n\n", "\r", "\u2028", "data: x\n\n", "[DONE]", "\x00", "😀"])
def test_no_text_can_break_out_of_its_frame(text: str) -> None:
    frames = encode([TEXT[0], TEXT[1], Delta(part=0, text=text), *TEXT[3:]])

    assert len(frames) == 5
    assert deltas(frames)[1] == {"content": text}


def test_the_end_marker_is_what_clients_wait_for() -> None:
    assert END_MARKER == b"data: [DONE]\n\n"
