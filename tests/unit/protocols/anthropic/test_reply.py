from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, EmptyAnswer, Failing, Malformed, Overloaded
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.errors import decode_error
from iflow_cli_proxy.protocols.anthropic.reply import decode_reply, encode_reply, read_reply
from iflow_cli_proxy.protocols.base import EncodeOptions

BODY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "a"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
OPTIONS = EncodeOptions(id="chatcmpl-9", model="standin")


def decode(**changes: Any) -> Reply:
    return decode_reply(jsonx.encode(BODY | changes), decode_error)


def encode(*parts: ReplyPart, reason: StopReason | None = StopReason.END_TURN, **more: Any) -> dict[str, Any]:
    reply = Reply(choices=(Choice(parts=parts, reason=reason, **more),))
    value: dict[str, Any] = jsonx.decode(encode_reply(reply, OPTIONS))
    return value


def test_an_answer_is_read_whole() -> None:
    reply = decode(
        content=[
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "a", "citations": None},
            {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}},
            {"type": "text", "text": ""},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
        ],
        stop_reason="stop_sequence",
        stop_sequence="END",
        container=None,
        context_management={"applied_edits": []},
    )

    (choice,) = reply.choices
    assert choice.parts == (
        ReplyPart(kind=PartKind.REASONING, text="t", seals={"signature": "s"}),
        ReplyPart(kind=PartKind.REASONING, seals={"redacted": "d"}),
        ReplyPart(kind=PartKind.TEXT, text="a"),
        ReplyPart(kind=PartKind.TOOL_CALL, text='{"a":1}', id="t1", name="f"),
        ReplyPart(kind=PartKind.TOOL_CALL, id="t2", name="f"),
    )
    assert (choice.reason, choice.stop_sequence) == (StopReason.STOP_SEQUENCE, "END")
    assert (reply.id, reply.model, reply.usage) == ("msg_1", "m", Usage(prompt=3, completion=2))
    assert reply.extras == {"anthropic": {"context_management": {"applied_edits": []}}}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", EmptyAnswer),
        (b"<html>", Malformed),
        (b'{"content":[{"type":"te', CutOff),
        (b'{"choices":[]}', Malformed),
        (jsonx.encode(BODY | {"content": "text"}), Malformed),
        (jsonx.encode({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}), Overloaded),
        (jsonx.encode(BODY | {"error": {"type": "overloaded_error", "message": "m"}}), Overloaded),
        (jsonx.encode(BODY | {"stop_reason": "network_error"}), Failing),
    ],
)
def test_what_is_no_answer_is_judged_alike_by_both_readers(body: bytes, error: type[Exception]) -> None:
    for read in (decode_reply, read_reply):
        with pytest.raises(error):
            read(body, decode_error, frozenset({"network_error"}))


def test_an_answer_that_says_no_reason_has_none() -> None:
    assert decode(stop_reason=None).choices[0].reason is None


def test_an_answer_is_written_with_everything_anthropic_promises() -> None:
    body = encode(ReplyPart(kind=PartKind.TEXT, text="a"))

    assert body == {
        "id": "msg_chatcmpl9",
        "type": "message",
        "role": "assistant",
        "model": "standin",
        "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }


def test_parts_keep_their_order_and_a_refusal_is_text() -> None:
    body = encode(
        ReplyPart(kind=PartKind.REASONING, text="t"),
        ReplyPart(kind=PartKind.REASONING, seals={"encrypted": "of another protocol"}),
        ReplyPart(kind=PartKind.TOOL_CALL, name="f", text="null"),
        ReplyPart(kind=PartKind.TEXT),
        ReplyPart(kind=PartKind.REFUSAL, text="no"),
        ReplyPart(kind=PartKind.TOOL_CALL, id="t2", name="f", text='{"a"'),
    )

    assert body["content"] == [
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "tool_use", "id": "toolu_chatcmpl9_0", "name": "f", "input": {}},
        {"type": "text", "text": "no"},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {"arguments": '{"a"'}},
    ]
    assert body["stop_reason"] == "tool_use"


def test_which_sequence_stopped_it_is_told() -> None:
    body = encode(reason=StopReason.STOP_SEQUENCE, stop_sequence="END")

    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "END")


def test_an_answer_nobody_counted_is_estimated() -> None:
    reply = Reply(choices=(Choice(parts=(ReplyPart(kind=PartKind.TEXT, text="12345"),)),))
    options = EncodeOptions(id="i", prompt_tokens=40)

    usage = jsonx.decode(encode_reply(reply, options))["usage"]

    assert (usage["input_tokens"], usage["output_tokens"]) == (40, 2)
