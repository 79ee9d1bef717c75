from typing import Any

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import (
    Audio,
    File,
    Image,
    Message,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.ollama.messages import decode_messages, encode_messages

PNG = "iVBORw0KGgoAAAA="


def call(**more: Any) -> dict[str, Any]:
    return {"function": {"name": "f", "arguments": {"a": 1}}, **more}


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "system", "content": "late"}],
        [{"role": "user", "content": "look", "images": [PNG, PNG]}],
        [{"role": "user", "content": "", "images": [PNG]}],
        [{"role": "assistant", "content": "so", "thinking": "hm"}],
        [
            {"role": "assistant", "content": "", "tool_calls": [call(id="a"), call()]},
            {"role": "tool", "content": "1", "tool_name": "f", "tool_call_id": "a"},
            {"role": "tool", "content": "2", "tool_name": "f"},
        ],
        [
            {"role": "assistant", "content": "", "tool_calls": [call()]},
            {"role": "tool", "content": "1", "images": [PNG]},
        ],
        [{"role": "tool", "content": "1", "tool_name": "g"}],
        [{"role": "control", "content": "thinking", "x": 1}],
        [{"role": "user", "content": ""}],
    ],
)
def test_messages_come_back_as_they_were(messages: list[Json]) -> None:
    assert encode_messages(decode_messages(messages)) == messages


def test_results_find_their_calls_by_name_and_in_order() -> None:
    other = {"function": {"name": "g", "arguments": {}}}
    calls, first, second, third = decode_messages(
        [
            {"role": "assistant", "content": "", "tool_calls": [call(), other, call(id="c")]},
            {"role": "tool", "content": "x", "tool_name": "g"},
            {"role": "tool", "content": "y"},
            {"role": "tool", "content": "z", "tool_call_id": "c"},
        ]
    )

    ids = [part.id for part in calls.parts if isinstance(part, ToolCall)]
    found = [
        part.call_id for message in (first, second, third) for part in message.parts if isinstance(part, ToolResult)
    ]
    assert found == [ids[1], ids[0], "c"]


def test_a_message_is_thinking_text_images_and_calls_in_this_order() -> None:
    (message,) = decode_messages(
        [{"role": "assistant", "content": "so", "thinking": "hm", "images": [PNG], "tool_calls": [call(id="a")]}]
    )

    assert message.parts == (
        Reasoning(text="hm"),
        Text(text="so"),
        Image(data=PNG, media_type="image/png"),
        ToolCall(id="a", name="f", arguments='{"a":1}'),
    )


def test_arguments_may_be_text() -> None:
    (message,) = decode_messages(
        [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"a": 1}'}}]}]
    )

    assert message.parts == (ToolCall(id="a", name="f", arguments='{"a": 1}'),)


def test_a_conversation_of_another_protocol_says_in_words_what_ollama_cannot_be_shown() -> None:
    parts = (
        Text(text="look"),
        Image(url="https://e.org/a.png"),
        File(name="a.pdf", data="AA"),
        Refusal(text="no"),
        Audio(data="AA", format="wav"),
    )

    assert encode_messages((Message(role=Role.USER, parts=parts),)) == [
        {"role": "user", "content": "look\n[image: https://e.org/a.png]\n[file: a.pdf]\nno"}
    ]


def test_a_result_of_another_protocol_gets_the_name_of_its_call() -> None:
    messages = (
        Message(role=Role.ASSISTANT, parts=(ToolCall(id="a", name="f", arguments="{"),)),
        Message(role=Role.TOOL, parts=(ToolResult(call_id="a", parts=(Text(text="1"),)),)),
    )

    assert encode_messages(messages) == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]},
        {"role": "tool", "content": "1", "tool_name": "f", "tool_call_id": "a"},
    ]
