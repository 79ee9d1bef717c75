"""Whole answers. Tests named `f31`, `f39` and `f41` are rows of RELIABILITY, section 2."""

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, EmptyAnswer, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_chat.reply import decode_reply, encode_reply, read_reply, stand_in_id

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def judge(body: Json) -> GatewayError | None:
    return RateLimited("Slow down.") if body.get("status") == "449" else None


def answer(message: Any, **more: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return jsonx.encode(
        {"id": "i", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice], **more}
    )


def decode(body: bytes) -> Reply:
    return decode_reply(body, judge, frozenset({"network_error"}))


def both(body: bytes) -> GatewayError:
    """What both readers raise; they must agree."""
    with pytest.raises(GatewayError) as passed_on:
        read_reply(body, judge, frozenset({"network_error"}))
    with pytest.raises(GatewayError) as decoded:
        decode(body)
    assert type(passed_on.value) is type(decoded.value)
    assert passed_on.value.message == decoded.value.message
    return decoded.value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", EmptyAnswer),
        (b" \r\n", EmptyAnswer),
        (b"<html><body>504</body></html>", Malformed),
        (b"null", Malformed),
        (b"[]", Malformed),
        (b"5", Malformed),
        (b'"text"', Malformed),
        (b"{}", Malformed),
        (b'{"choices":[]}', Malformed),
        (b'{"choices":null}', Malformed),
        (b'{"choices":5}', Malformed),
        (b'{"choices":[5]}', Malformed),
        (b'{"choices":[{"message":5}]}', Malformed),
        (b'{"choices":[{"message":{"content":["a"]}}]}', Malformed),
        (b'{"status":"449","msg":"x","body":null}', RateLimited),
        (b'{"error":{"message":"x"},"choices":[{}]}', Malformed),
        (answer({"content": "a"})[:-9], CutOff),
        (b'{"choices":[{"message":{"content":%b}}]}' % (b"[" * 100_000), Malformed),
        (b'{"choices":[{"message":{"content":"a"}}],"x":%b}' % (b"[" * 500 + b"]" * 500), Malformed),
        (b'{"choices":[{"message":{"content":"a"}}],"x":NaN}', Malformed),
        (b'{"choices":[{"message":{"content":"a"}}],"x":1e400}', Malformed),
        (b'{"choices":[{"message":{"content":"a"}}],"x":%b}' % (b"9" * 6_000), Malformed),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_f39_what_is_no_answer_is_refused_by_both_readers(body: bytes, error: type[GatewayError]) -> None:
    assert type(both(body)) is error


@pytest.mark.parametrize("place", [b'"content":"a\xffb"', b'"content":"a","x":"\xff"', b'"\xff":1'])
def test_f31_an_answer_that_is_not_utf8_is_never_passed_on(place: bytes) -> None:
    assert type(both(b'{"choices":[{"message":{%b}}]}' % place)) is Malformed


def test_a_failure_in_the_clothes_of_a_finish_reason_is_a_failure() -> None:
    body = answer({"content": ""}).replace(b'"stop"', b'"network_error"')

    assert type(both(body)) is Failing
    assert type(both(body.replace(b"{", b'{"status":"449",', 1))) is RateLimited
    assert decode_reply(body, judge).choices[0].word == "network_error"


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, [ReplyPart(kind=PartKind.TEXT, text="a")]),
        ({"content": None}, []),
        ({"content": ""}, []),
        (None, []),
        ({"refusal": "no"}, [ReplyPart(kind=PartKind.REFUSAL, text="no")]),
        ({"reasoning": "r"}, [ReplyPart(kind=PartKind.REASONING, text="r")]),
        (
            {"content": "a", "reasoning_content": "r", "signature": "s"},
            [
                ReplyPart(kind=PartKind.REASONING, text="r", seals={"signature": "s"}),
                ReplyPart(kind=PartKind.TEXT, text="a"),
            ],
        ),
        (
            {"content": None, "tool_calls": [CALL, {"function": {"name": "g", "arguments": {"a": 1}}}]},
            [
                ReplyPart(kind=PartKind.TOOL_CALL, id="c", name="f", text="{}"),
                ReplyPart(kind=PartKind.TOOL_CALL, name="g", text='{"a":1}'),
            ],
        ),
    ],
)
def test_messages_become_parts(message: Any, parts: list[ReplyPart]) -> None:
    assert decode(answer(message)).choices[0].parts == tuple(parts)


def test_the_head_is_read_and_a_date_that_is_none_is_no_date() -> None:
    reply = decode(answer({"content": "a"}, usage={"prompt_tokens": 3}))

    assert (reply.id, reply.model, reply.created, reply.usage) == ("i", "m", 7, Usage(prompt=3))
    for date in (b"1.5e300", b'"yesterday"', b"-5", b"null"):
        assert decode(b'{"choices":[{}],"created":%b}' % date).created == 0
    assert decode(b'{"choices":[{}],"id":12}').id == "12"


def test_choices_come_in_the_order_of_their_indices() -> None:
    body = b'{"choices":[{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"}}]}'

    assert [choice.parts[0].text for choice in decode(body).choices] == ["a", "b"]


def test_fields_without_a_word_of_ours_return_to_this_protocol() -> None:
    body = jsonx.decode(
        answer({"role": "assistant", "content": "a", "annotations": [1]}, system_fingerprint="fp", usage={})
    )
    body["choices"][0]["logprobs"] = {"content": [1]}
    reply = decode(jsonx.encode(body))

    assert reply.extras == {"openai_chat": {"system_fingerprint": "fp"}}
    assert reply.choices[0].extras == {"openai_chat": {"logprobs": {"content": [1]}, "message": {"annotations": [1]}}}
    written = jsonx.decode(encode_reply(reply, EncodeOptions()))
    assert written == body | {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}


def test_what_the_upstream_left_out_is_filled_in() -> None:
    reply = Reply(choices=(Choice(parts=(ReplyPart(kind=PartKind.TOOL_CALL, name="f", text="{}"),)),))
    written = jsonx.decode(encode_reply(reply, EncodeOptions(id="chatcmpl-1", created=9, model="m")))

    assert (written["id"], written["created"], written["model"]) == ("chatcmpl-1", 9, "m")
    assert written["choices"][0]["message"]["content"] is None
    assert written["choices"][0]["message"]["tool_calls"][0]["id"] == stand_in_id("chatcmpl-1.0", 0)
    assert written["choices"][0]["finish_reason"] is None, "never made up (F16)"


def test_stand_in_ids_differ_between_answers_choices_and_calls_and_hold_plain_characters() -> None:
    ids = {stand_in_id(f"{answer_id}.{choice}", at) for answer_id in ("a", "b") for choice in (0, 1) for at in (0, 1)}

    assert len(ids) == 8
    assert stand_in_id('x"\n é', 0) == "call_x_0"
    assert len(stand_in_id("x" * 1000, 0)) < 40


def test_merged_thinking_stands_before_the_text() -> None:
    parts = (
        ReplyPart(kind=PartKind.REASONING, text="r", seals={"signature": "s"}),
        ReplyPart(kind=PartKind.TEXT, text="a"),
    )
    reply = Reply(choices=(Choice(parts=parts, reason=StopReason.END_TURN),))

    merged = jsonx.decode(encode_reply(reply, EncodeOptions(merges_reasoning=True)))["choices"][0]["message"]
    apart = jsonx.decode(encode_reply(reply, EncodeOptions()))["choices"][0]["message"]
    assert merged == {"role": "assistant", "content": "r\n\na"}
    assert apart == {"role": "assistant", "content": "a", "reasoning_content": "r", "signature": "s"}
