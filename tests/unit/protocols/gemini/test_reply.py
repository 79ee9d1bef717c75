from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.gemini.errors import decode_error
from iflow_cli_proxy.protocols.gemini.reply import decode_reply, encode_reply, read_reply

OPTIONS = EncodeOptions(id="req_1", created=1_795_132_800, model="m")
HIDING = EncodeOptions(id="req_1", asked={"contents": []})
CALL = ReplyPart(kind=PartKind.TOOL_CALL, id="a", name="f", text='{"x":1}')
THOUGHT = ReplyPart(kind=PartKind.REASONING, text="hm", seals={"signature": "AAAA"})
TEXT = ReplyPart(kind=PartKind.TEXT, text="so")


def replying(*parts: ReplyPart, reason: StopReason = StopReason.END_TURN) -> Reply:
    return Reply(id="r", model="glm-5", choices=(Choice(parts=parts, reason=reason),))


def parts_of(reply: Reply, options: EncodeOptions = OPTIONS) -> Any:
    return jsonx.decode(encode_reply(reply, options))["candidates"][0]["content"]["parts"]


def decoded(body: Any) -> Reply:
    return decode_reply(jsonx.encode(body), decode_error)


def test_an_answer_has_googles_shape() -> None:
    reply = Reply(choices=replying(TEXT).choices, usage=Usage(prompt=3, completion=4, reasoning=1))

    assert jsonx.decode(encode_reply(reply, OPTIONS)) == {
        "candidates": [{"content": {"parts": [{"text": "so"}], "role": "model"}, "index": 0, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 1,
            "totalTokenCount": 7,
        },
        "modelVersion": "m",
        "createTime": "2026-11-20T00:00:00Z",
        "responseId": "req_1",
    }


def test_thoughts_go_to_those_who_asked_and_their_seal_to_the_next_part_in_any_case() -> None:
    signed_call = {
        "functionCall": {"id": "a", "name": "f", "args": {"x": 1}},
        "thoughtSignature": "AAAA",
    }

    assert parts_of(replying(THOUGHT, CALL)) == [{"text": "hm", "thought": True}, signed_call]
    assert parts_of(replying(THOUGHT, CALL), HIDING) == [signed_call]
    assert parts_of(replying(THOUGHT), HIDING) == [{"text": "", "thoughtSignature": "AAAA"}]


def test_calls_without_ids_get_some_and_say_stop() -> None:
    nameless = ReplyPart(kind=PartKind.TOOL_CALL, name="f")
    body = jsonx.decode(encode_reply(replying(nameless, nameless, reason=StopReason.TOOL_USE), OPTIONS))

    first, second = body["candidates"][0]["content"]["parts"]
    assert first["functionCall"] == {"id": "call_r0_0", "name": "f", "args": {}}
    assert second["functionCall"]["id"] == "call_r0_1"
    assert body["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize(
    "parts",
    [(TEXT,), (THOUGHT, TEXT), (THOUGHT, CALL, TEXT), (CALL, CALL), (TEXT, THOUGHT), (THOUGHT, THOUGHT, TEXT)],
)
def test_parts_come_back_in_order(parts: tuple[ReplyPart, ...]) -> None:
    assert decode_reply(encode_reply(replying(*parts), OPTIONS), decode_error).choices[0].parts == parts


def test_pieces_of_one_text_become_one_and_empty_ones_nothing() -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a"}, {"text": ""}, {"text": "b"}]}}]}

    assert decoded(body).choices == (Choice(parts=(ReplyPart(kind=PartKind.TEXT, text="ab"),)),)


def test_what_we_have_no_word_for_comes_back() -> None:
    candidate = {"content": {"parts": [{"text": "a"}], "role": "model"}, "index": 0, "finishReason": "STOP"}
    body = {
        "candidates": [{**candidate, "groundingMetadata": {"x": 1}}],
        "modelVersion": "m",
        "promptFeedback": {"safetyRatings": []},
        "responseId": "r",
    }

    assert jsonx.decode(encode_reply(decoded(body), EncodeOptions())) == body


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "upstream_empty"),
        (b"{", "upstream_cut"),
        (b"nonsense", "upstream_malformed"),
        (b"{}", "upstream_malformed"),
        (b'{"candidates":[]}', "upstream_malformed"),
        (b'{"candidates":[{"index":-1}]}', "upstream_malformed"),
        (b'{"promptFeedback":{"blockReason":"SAFETY"}}', "content_filtered"),
        (b'{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}', "rate_limited"),
        (b'{"candidates":[{"finishReason":"network_error"}]}', "upstream_failing"),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes, kind: str) -> None:
    for read in (decode_reply, read_reply):
        with pytest.raises(GatewayError) as caught:
            read(body, decode_error, frozenset({"network_error"}))
        assert caught.value.kind == kind


def test_only_usage_is_read_of_an_answer_that_is_passed_on() -> None:
    assert read_reply(b'{"candidates":[{}],"usageMetadata":{"promptTokenCount":2}}', decode_error) == Usage(prompt=2)
