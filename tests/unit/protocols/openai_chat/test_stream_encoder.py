"""Streams. Tests named `f..` are rows of RELIABILITY, section 2; whole conversations are in `tests/golden`."""

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
from iflow_cli_proxy.core.sse import Frame, Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_chat.reply import stand_in_id
from iflow_cli_proxy.protocols.openai_chat.stream_decoder import StreamDecoder
from iflow_cli_proxy.protocols.openai_chat.stream_encoder import END_MARKER, StreamEncoder


def decode(*frames: Any, keeps_extras: bool = True) -> list[Event]:
    decoder = StreamDecoder(lambda body: None, frozenset(), keeps_extras=keeps_extras)
    data = [frame if isinstance(frame, bytes) else jsonx.encode(frame) for frame in frames]
    events = run(decoder, [Frame(one) for one in data])
    grammar.check(events)
    return events


DONE = b"[DONE]"


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
