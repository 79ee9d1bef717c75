from typing import Any

import pytest

from iflow_cli_proxy.core.events import PartKind, ReplyPart
from iflow_cli_proxy.protocols.openai_responses.output import (
    decode_output,
    encode_items,
    item_id,
    response_id,
    stand_in_call_id,
)
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames

NAMES = ToolNames(
    {
        "tools": [
            {"type": "custom", "name": "apply_patch"},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        ]
    }
)


def encoded(**part: Any) -> dict[str, Any]:
    (item,) = encode_items([ReplyPart(**part)], "resp_1", NAMES)
    assert isinstance(item, dict)
    return item


@pytest.mark.parametrize(
    ("given", "ours", "expected"),
    [
        ("resp_abc", "chatcmpl-1", "resp_1"),
        ("resp_abc", "", "resp_abc"),
        ("chatcmpl-abc", "chatcmpl-1f", "resp_1f"),
        ("chatcmpl-a-b", "", "resp_ab"),
        ("", "req_9", "resp_9"),
        ("", "", "resp_0"),
    ],
)
def test_an_answer_is_known_by_an_id_that_nobody_else_has(given: str, ours: str, expected: str) -> None:
    assert response_id(given, ours) == expected


def test_items_are_numbered_within_their_answer() -> None:
    assert item_id("resp_ab", 2, PartKind.REASONING) == "rs_ab_2"
    assert item_id("resp_ab", 2, PartKind.TOOL_CALL, is_custom=True) == "ctc_ab_2"
    assert stand_in_call_id("resp_ab", 2) == "call_ab_2"


def test_a_text_is_a_message_and_thinking_a_summary() -> None:
    assert encoded(kind=PartKind.TEXT, text="Hi") == {
        "id": "msg_1_0",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi"}],
    }
    assert encoded(kind=PartKind.REFUSAL, text="No")["content"] == [{"type": "refusal", "refusal": "No"}]
    assert encoded(kind=PartKind.REASONING, text="Hm") == {
        "id": "rs_1_0",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm"}],
        "encrypted_content": None,
    }
    assert encoded(kind=PartKind.REASONING, seals={"encrypted": "x"})["summary"] == []


def test_calls_come_back_as_calls_of_the_clients_own_tools() -> None:
    assert encoded(kind=PartKind.TOOL_CALL, name="n__f", text='{"a":1}', id="c") == {
        "id": "fc_1_0",
        "type": "function_call",
        "status": "completed",
        "arguments": '{"a":1}',
        "call_id": "c",
        "name": "f",
        "namespace": "n",
    }
    assert encoded(kind=PartKind.TOOL_CALL, name="apply_patch", text='{"input":"***"}', id="c") == {
        "id": "ctc_1_0",
        "type": "custom_tool_call",
        "status": "completed",
        "input": "***",
        "call_id": "c",
        "name": "apply_patch",
    }


def test_a_call_without_arguments_or_id_gets_some() -> None:
    item = encoded(kind=PartKind.TOOL_CALL, name="g")

    assert (item["arguments"], item["call_id"]) == ("{}", "call_1_0")


def test_what_was_written_is_read_back() -> None:
    parts = [
        ReplyPart(kind=PartKind.REASONING, text="Hm", seals={"signature": "s"}),
        ReplyPart(kind=PartKind.TEXT, text="Hi"),
        ReplyPart(kind=PartKind.REFUSAL, text="No"),
        ReplyPart(kind=PartKind.TOOL_CALL, text="{}", id="c", name="g"),
        ReplyPart(kind=PartKind.TOOL_CALL, text='{"input":"a"}', id="d", name="apply_patch"),
    ]

    assert decode_output(encode_items(parts, "resp_1", NAMES)) == parts


@pytest.mark.parametrize(
    "output",
    [
        None, 5, [5], [{}], [{"type": "web_search_call"}], [{"type": "message"}], [{"type": "message", "content": 5}],
        [{"type": "message", "content": [5, {}, {"type": "output_audio"}]}],
    ],
)  # fmt: skip
def test_what_has_no_parts_is_no_trouble(output: Any) -> None:
    assert decode_output(output) == []


def test_open_thinking_goes_before_its_summary() -> None:
    summary, content = [{"text": "a"}, {"text": "b"}], [{"type": "reasoning_text", "text": "all"}]

    assert decode_output([{"type": "reasoning", "summary": summary}])[0].text == "a\n\nb"
    assert decode_output([{"type": "reasoning", "summary": summary, "content": content}])[0].text == "all"
