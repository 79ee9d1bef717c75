from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, EmptyAnswer, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses.errors import decode_error
from iflow_cli_proxy.protocols.openai_responses.reply import decode_reply, encode_response, read_reply

MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}


def body(**fields: Any) -> bytes:
    return jsonx.encode({"id": "resp_1", "created_at": 7.5, "model": "m", "status": "completed", "output": []} | fields)


def failure(given: bytes) -> GatewayError:
    """What both readers raise; they must agree."""
    with pytest.raises(GatewayError) as passed_on:
        read_reply(given, decode_error, frozenset({"network_error"}))
    with pytest.raises(GatewayError) as translated:
        decode_reply(given, decode_error, frozenset({"network_error"}))
    assert type(passed_on.value) is type(translated.value)
    return translated.value


def test_a_whole_answer_is_read() -> None:
    usage = {"input_tokens": 3, "output_tokens": 2}
    found = decode_reply(body(output=[MESSAGE], usage=usage, x_field=1), decode_error)

    assert found == Reply(
        id="resp_1",
        model="m",
        created=7,
        choices=(Choice(parts=(ReplyPart(kind=PartKind.TEXT, text="Hi"),), reason=StopReason.END_TURN),),
        usage=Usage(prompt=3, completion=2),
        extras={"openai_responses": {"x_field": 1}},
    )


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (b"", EmptyAnswer),
        (b'{"output":[', CutOff),
        (b"<html>", Malformed),
        (b"[]", Malformed),
        (b"{}", Malformed),
        (body(output=None), Malformed),
        (body(status="in_progress"), Malformed),
        (body(status="queued"), Malformed),
        (body(status="failed", error={"code": "rate_limit_exceeded", "message": "No."}), RateLimited),
        (body(error={"code": "rate_limit_exceeded", "message": "No."}), RateLimited),
        (b'{"error":{"code":"rate_limit_exceeded","message":"No."}}', RateLimited),
        (body(status="incomplete", incomplete_details={"reason": "network_error"}), Failing),
    ],
)
def test_what_is_no_answer_raises(given: bytes, kind: type[GatewayError]) -> None:
    assert type(failure(given)) is kind


def test_the_first_answer_is_the_only_one() -> None:
    texts = [Choice(parts=(ReplyPart(kind=PartKind.TEXT, text=text),), reason=StopReason.END_TURN) for text in "ab"]
    response = encode_response(Reply(choices=tuple(texts)), EncodeOptions(id="chatcmpl-1", created=5, model="m"))

    assert [item["content"][0]["text"] for item in response["output"]] == ["a"]
    assert (response["id"], response["created_at"], response["status"]) == ("resp_1", 5, "completed")


def test_an_empty_reply_can_be_written() -> None:
    assert encode_response(Reply(), EncodeOptions())["output"] == []


def test_extras_of_its_own_protocol_return() -> None:
    extras = {"openai_responses": {"service_tier": "flex"}, "openai_chat": {"system_fingerprint": "x"}}
    response = encode_response(Reply(extras=extras), EncodeOptions())

    assert response["service_tier"] == "flex"
    assert "system_fingerprint" not in response


def test_of_an_answer_that_was_cut_the_last_item_is_not_complete() -> None:
    parts = (
        ReplyPart(kind=PartKind.TEXT, text="a"),
        ReplyPart(kind=PartKind.TOOL_CALL, id="c", name="f", text='{"a":'),
    )
    response = encode_response(Reply(choices=(Choice(parts=parts, reason=StopReason.MAX_TOKENS),)), EncodeOptions())

    assert response["status"] == "incomplete"
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_an_answer_that_does_not_say_why_it_ended_is_not_called_complete() -> None:
    response = encode_response(
        Reply(choices=(Choice(parts=(ReplyPart(kind=PartKind.TEXT, text="a"),)),)), EncodeOptions()
    )

    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "unknown"})
