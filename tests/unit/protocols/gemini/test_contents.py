from typing import Any

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    File,
    Image,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.gemini.contents import decode_contents, decode_system, encode_contents, encode_system

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AA"}}
PLACEHOLDER = "skip_thought_signature_validator"


def call(**more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": "f", "args": {"a": 1}, **more}}


def result(**more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": "f", "response": {"output": "ok"}, **more}}


def decoded(*contents: Json) -> tuple[Message, ...]:
    return decode_contents(contents, [])


@pytest.mark.parametrize(
    "contents",
    [
        [{"role": "user", "parts": [{"text": "a"}, PICTURE, {"text": "b"}]}, {"role": "model", "parts": [PICTURE]}],
        [{"role": "user", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "b"}]}],
        [{"parts": [{"text": "a"}]}],
        [{"role": "user", "parts": []}],
        [{"role": "model", "parts": [call(id="a"), call()]}, {"role": "user", "parts": [result(id="a"), result()]}],
        [{"role": "model", "parts": [call(id="a")]}, {"role": "user", "parts": [result(id="a"), PICTURE]}],
        [{"role": "model", "parts": [call()]}, {"role": "function", "parts": [result()]}],
        [{"role": "model", "parts": [{**call(id="a"), "thoughtSignature": PLACEHOLDER}, call(id="b")]}],
        [{"role": "model", "parts": [{**call(id="a"), "thoughtSignature": "AAAA"}, call(id="b")]}],
        [{"role": "model", "parts": [{"text": "t", "thought": True}, {"text": "x", "thoughtSignature": "AAAA"}]}],
        [{"role": "model", "parts": [{"text": "x"}, {"text": "", "thoughtSignature": "AAAA"}]}],
        [{"role": "model", "parts": [{"text": "t", "thought": True, "thoughtSignature": "AAAA"}]}],
        [{"role": "model", "parts": [{"executableCode": {"code": "1"}}, {"text": "x"}]}],
    ],
)  # fmt: skip
def test_contents_come_back_as_they_were(contents: list[Json]) -> None:
    assert encode_contents(decode_contents(contents, [])) == contents


def test_a_picture_beside_a_result_is_the_users_after_it() -> None:
    call_message, result_message, picture = decoded(
        {"role": "model", "parts": [call(id="a")]}, {"role": "user", "parts": [PICTURE, result(id="a")]}
    )

    assert call_message.parts == (ToolCall(id="a", name="f", arguments='{"a":1}'),)
    assert result_message.parts == (ToolResult(call_id="a", parts=(Text(text="ok"),)),)
    assert (picture.role, picture.parts) == (Role.USER, (Image(data="AA", media_type="image/png"),))


def test_results_without_ids_find_their_calls() -> None:
    calls, first, second = decoded(
        {"role": "model", "parts": [call(), {"functionCall": {"name": "g"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "g", "response": {}}}, result()]},
    )
    one, other = calls.parts
    assert isinstance(one, ToolCall)
    assert isinstance(other, ToolCall)

    assert [part.call_id for message in (first, second) for part in message.parts if isinstance(part, ToolResult)] == [
        other.id,
        one.id,
    ]
    assert other.arguments == "{}"


def test_a_lone_result_is_read() -> None:
    (message, picture) = decoded({"role": "user", "parts": [result(id="x"), PICTURE]})

    assert message.role is Role.TOOL
    assert picture.role is Role.USER


def test_a_signature_belongs_to_the_thought_before_it_or_to_one_without_words() -> None:
    (message,) = decoded(
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {**call(id="a"), "thoughtSignature": "AAAA"},
                {**call(id="b"), "thoughtSignature": "BBBB"},
            ],
        }
    )

    thoughts = [part for part in message.parts if isinstance(part, Reasoning)]
    assert thoughts == [
        Reasoning(text="hm", seals={"signature": "AAAA"}),
        Reasoning(seals={"signature": "BBBB"}),
    ]


def test_what_a_client_writes_instead_of_a_signature_is_no_seal() -> None:
    (message,) = decoded({"role": "model", "parts": [{**call(id="a"), "thoughtSignature": PLACEHOLDER}]})

    assert message.parts == (ToolCall(id="a", name="f", arguments='{"a":1}'),)


def test_parts_only_gemini_knows_are_kept_and_told() -> None:
    notes: list[Note] = []
    code = {"executableCode": {"code": "1"}}

    (message,) = decode_contents([{"role": "model", "parts": [{"text": "x"}, code]}], notes)

    assert message.parts == (Text(text="x"), Opaque(protocol="gemini", value=code))
    assert [note.path for note in notes] == ["contents[0].parts[1]"]


def test_calls_make_a_message_the_models_whoever_is_said_to_speak() -> None:
    (message,) = decoded({"role": "user", "parts": [call(id="a")]})

    assert message.role is Role.ASSISTANT


def test_the_systems_words_stand_first_and_later_ones_are_the_users() -> None:
    messages = (
        Message(role=Role.SYSTEM, parts=(Text(text="a"),)),
        Message(role=Role.SYSTEM, parts=(Text(text="b"),)),
        Message(role=Role.USER, parts=(Text(text="c"),)),
        Message(role=Role.SYSTEM, parts=(Text(text="d"),)),
    )

    assert encode_system(messages) == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert encode_contents(messages) == [
        {"role": "user", "parts": [{"text": "c"}]},
        {"role": "user", "parts": [{"text": "d"}]},
    ]
    assert decode_system({"parts": [{"text": "a"}, {"text": "b"}]}) == (
        Message(role=Role.SYSTEM, parts=(Text(text="a"), Text(text="b"))),
    )
    assert decode_system(None) == decode_system({"parts": []}) == ()


def test_a_conversation_of_another_protocol_is_written_in_googles_manner() -> None:
    contents = encode_contents(
        (
            Message(role=Role.ASSISTANT, parts=(Text(text=""), ToolCall(id="a", name="f", arguments='{"x": [1'))),
            Message(role=Role.TOOL, parts=(ToolResult(call_id="a", parts=(Text(text="1"),)),)),
            Message(role=Role.TOOL, parts=(ToolResult(call_id="b", parts=(Text(text="2"),)),)),
            Message(role=Role.USER, parts=(Refusal(text="no"), File(file_id="file-1"), Opaque(protocol="x", value={}))),
            Message(role=Role.ASSISTANT, parts=(Reasoning(text="hm", seals={"encrypted": "E"}), Text(text="so"))),
        )
    )

    assert [content["role"] for content in contents] == ["model", "user", "user", "model"]
    assert contents[0]["parts"] == [{"functionCall": {"id": "a", "name": "f", "args": {"x": [1]}}}]
    assert [part["functionResponse"]["name"] for part in contents[1]["parts"]] == ["f", "tool"]
    assert contents[2]["parts"] == [{"text": "no"}, {"text": "[file: file-1]"}]
    assert decoded(contents[3])[0].parts[0] == Reasoning(text="hm", seals={"encrypted": "E"})


def test_two_thoughts_keep_their_own_seals() -> None:
    parts = (
        Reasoning(text="a", seals={"signature": "AAAA"}),
        Reasoning(seals={"signature": "BBBB"}),
        Text(text="x"),
    )

    assert decoded(*encode_contents((Message(role=Role.ASSISTANT, parts=parts),)))[0].parts == parts
