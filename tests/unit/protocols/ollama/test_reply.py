from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.ollama.errors import decode_error
from iflow_cli_proxy.protocols.ollama.reply import decode_reply, encode_reply, read_reply

OPTIONS = EncodeOptions(id="req_1", created=1_795_132_800, model="m")
THOUGHT = ReplyPart(kind=PartKind.REASONING, text="hm")
TEXT = ReplyPart(kind=PartKind.TEXT, text="so")
CALL = ReplyPart(kind=PartKind.TOOL_CALL, id="a", name="f", text='{"x":1}')
REPLY = Reply(
    model="glm-5",
    choices=(Choice(parts=(THOUGHT, TEXT, CALL), reason=StopReason.TOOL_USE),),
    usage=Usage(prompt=3, completion=4),
)
BESIDE = {"thinking": "hm", "tool_calls": [{"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}]}


def written(reply: Reply, options: EncodeOptions = OPTIONS, flavor: str = "chat") -> Any:
    return jsonx.decode(encode_reply(reply, options, flavor))


def test_a_chat_is_answered_with_a_message() -> None:
    assert written(REPLY) == {
        "model": "glm-5",
        "created_at": "2026-11-20T00:00:00Z",
        "message": {"role": "assistant", "content": "so", **BESIDE},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 3,
        "eval_count": 4,
    }


def test_a_bare_generation_is_answered_with_a_response() -> None:
    body = written(REPLY, flavor="generate")

    assert body["response"] == "so"
    assert body | BESIDE == body
    assert "message" not in body


@pytest.mark.parametrize("flavor", ["chat", "generate"])
def test_an_answer_comes_back_in_either_form(flavor: str) -> None:
    assert decode_reply(encode_reply(REPLY, OPTIONS, flavor), decode_error) == Reply(
        model="glm-5", created=1_795_132_800, choices=REPLY.choices, usage=REPLY.usage
    )


def test_thinking_is_not_shown_to_those_who_declined_it() -> None:
    assert "thinking" not in written(REPLY, EncodeOptions(asked={"think": False}))["message"]


def test_what_somebody_measured_is_told_in_nanoseconds() -> None:
    body = written(REPLY, EncodeOptions(elapsed_s=lambda: 1.5))

    assert (body["total_duration"], body["eval_duration"]) == (1_500_000_000, 1_500_000_000)
    assert "total_duration" not in written(REPLY)


def test_calls_without_ids_get_some_and_no_answer_is_an_empty_one() -> None:
    nameless = Choice(parts=(ReplyPart(kind=PartKind.TOOL_CALL, name="f"),))

    assert written(Reply(choices=(nameless,)))["message"]["tool_calls"][0]["id"] == "call_req1_0"
    assert written(Reply())["message"] == {"role": "assistant", "content": ""}


def test_what_we_have_no_word_for_comes_back() -> None:
    body = {"model": "m", "created_at": "2026-11-20T00:00:00Z", "message": {"role": "assistant", "content": "a"},
            "done": True, "done_reason": "stop", "logprobs": [{"token": "a"}], "total_duration": 5}  # fmt: skip

    assert written(decode_reply(jsonx.encode(body), decode_error)) == body


def test_arguments_may_come_as_text() -> None:
    body = b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},"done":true}'

    (part,) = decode_reply(body, decode_error).choices[0].parts
    assert part.text == "{}"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "upstream_empty"),
        (b"{", "upstream_cut"),
        (b"{}", "upstream_malformed"),
        (b'{"error":"model crashed"}', "upstream_failing"),
        (b'{"message":3}', "upstream_malformed"),
        (b'{"response":"a","done":true,"done_reason":"network_error"}', "upstream_failing"),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, kind: str) -> None:
    for read in (decode_reply, read_reply):
        with pytest.raises(GatewayError) as caught:
            read(body, decode_error, frozenset({"network_error"}))
        assert caught.value.kind == kind


def test_an_answer_that_does_not_say_why_it_ended_has_no_reason() -> None:
    assert decode_reply(b'{"response":"a"}', decode_error).choices[0].reason is None
    assert decode_reply(b'{"response":"a","done":true}', decode_error).choices[0].reason is StopReason.END_TURN
