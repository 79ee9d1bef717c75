from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import EmptyAnswer, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_completions.reply import answer_id, decode_reply, encode_reply, read_reply
from iflow_cli_proxy.protocols.openai_errors import decode_error

PARTS = (
    ReplyPart(kind=PartKind.REASONING, text="Hm."),
    ReplyPart(kind=PartKind.TEXT, text=" upon"),
    ReplyPart(kind=PartKind.TOOL_CALL, text="{}", name="f"),
    ReplyPart(kind=PartKind.REFUSAL, text=" no"),
)


def body(**fields: Any) -> bytes:
    choices = [{"index": 1, "text": "b", "finish_reason": "length"}, {"index": 0, "text": "a", "finish_reason": "stop"}]
    return jsonx.encode({"id": "cmpl-1", "created": 7, "model": "m", "choices": choices} | fields)


def test_a_whole_answer_is_read_in_the_order_of_its_indices() -> None:
    found = decode_reply(body(usage={"prompt_tokens": 1}, system_fingerprint="x"), decode_error)

    assert [(choice.parts[0].text, choice.reason) for choice in found.choices] == [
        ("a", StopReason.END_TURN),
        ("b", StopReason.MAX_TOKENS),
    ]
    assert (found.id, found.created, found.usage) == ("cmpl-1", 7, Usage(prompt=1))
    assert found.extras == {"openai_completions": {"system_fingerprint": "x"}}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (b"", EmptyAnswer),
        (b"[]", Malformed),
        (body(choices=[]), Malformed),
        (body(error={"code": "rate_limit_exceeded", "message": "No."}), RateLimited),
        (body(choices=[{"text": "", "finish_reason": "network_error"}]), Failing),
    ],
)
def test_what_is_no_answer_raises(given: bytes, kind: type[GatewayError]) -> None:
    for read in (read_reply, decode_reply):
        with pytest.raises(GatewayError) as caught:
            read(given, decode_error, frozenset({"network_error"}))
        assert type(caught.value) is kind


def test_there_is_only_text() -> None:
    reply = Reply(id="chatcmpl-1", choices=(Choice(parts=PARTS, reason=StopReason.END_TURN),))
    written = jsonx.decode(encode_reply(reply, EncodeOptions(model="m", created=5)))

    assert written["choices"] == [{"text": " upon no", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert (written["id"], written["object"], written["model"]) == ("cmpl-1", "text_completion", "m")


def test_an_echo_is_the_prompt_before_its_continuation() -> None:
    options = EncodeOptions(asked={"prompt": ["Once"], "echo": True})

    assert jsonx.decode(encode_reply(Reply(choices=(Choice(parts=PARTS),)), options))["choices"][0]["text"] == (
        "Once upon no"
    )


def test_an_id_of_another_form_is_kept() -> None:
    assert answer_id("x-1", EncodeOptions(id="chatcmpl-2")) == "x-1"
    assert answer_id("", EncodeOptions(id="chatcmpl-2")) == "cmpl-2"
