from typing import Any

import pytest

from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    Audio,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.anthropic.blocks import (
    decode_blocks,
    decode_image,
    encode_blocks,
    encode_content,
    encode_reasoning,
)

PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


def decode(*blocks: dict[str, Any]) -> list[Part]:
    notes: list[Note] = []
    parts = decode_blocks(list(blocks), "c", notes)
    assert notes == []
    return parts


def decode_noting(*blocks: dict[str, Any]) -> tuple[list[Part], list[Note]]:
    notes: list[Note] = []
    return decode_blocks(list(blocks), "c", notes), notes


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a"}, Text(text="a")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            Image(data="AAAA", media_type="image/png"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://a/b"}}, Image(url="https://a/b")),
        (
            {"type": "document", "source": PDF, "title": "a.pdf"},
            File(data="JVBERi0=", media_type="application/pdf", name="a.pdf"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b"}}, File(url="https://a/b")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, File(file_id="f")),
        ({"type": "thinking", "thinking": "t", "signature": ""}, Reasoning(text="t")),
        (
            {"type": "thinking", "thinking": "t", "signature": "EqQ/+8=="},
            Reasoning(text="t", seals={"signature": "EqQ/+8=="}),
        ),
        ({"type": "redacted_thinking", "data": "Emw=="}, Reasoning(seals={"redacted": "Emw=="})),
        (
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, "ü"]}},
            ToolCall(id="t1", name="f", arguments='{"a":[1,"ü"]}'),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "content": "ok"},
            ToolResult(call_id="t1", parts=(Text(text="ok"),)),
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "is_error": True},
            ToolResult(call_id="t1", is_error=True),
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://a/b"}}],
            },
            ToolResult(call_id="t1", parts=(Image(url="https://a/b"),)),
        ),
    ],
)
def test_a_block_and_its_part_say_the_same(block: dict[str, Any], part: Part) -> None:
    assert decode(block) == [part]
    assert encode_blocks([part]) == [block]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, "a"),
        (
            {"type": "document", "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            "T\n\nwords",
        ),
        ({"type": "document", "source": {"type": "content", "content": "words"}}, "words"),
        (
            {"type": "search_result", "title": "T", "source": "s", "content": [{"type": "text", "text": "words"}]},
            "T\ns\n\nwords",
        ),
    ],
)
def test_what_is_text_in_the_end_is_read_as_text(block: dict[str, Any], text: str) -> None:
    assert decode(block) == [Text(text=text)]


def test_a_document_of_blocks_is_its_title_and_its_blocks() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://a/b"}}
    block = {"type": "document", "title": "T", "source": {"type": "content", "content": [image]}}

    assert decode(block) == [Text(text="T"), Image(url="https://a/b")]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "cloud"}},
        {"type": "invented_tomorrow"},
    ],
)
def test_what_no_part_can_say_returns_to_anthropic_and_is_noted(block: dict[str, Any]) -> None:
    parts, notes = decode_noting({"type": "text", "text": "a"}, block)

    assert parts[1] == Opaque(protocol="anthropic", value=block)
    assert [note.path for note in notes] == ["c[1]"]
    assert encode_blocks(parts)[1] == block


def test_a_result_says_what_was_left_out_of_it() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{"type": "document", "source": PDF}, {"type": "tool_reference", "tool_name": "x"}],
    }

    parts, notes = decode_noting(result)

    texts = (Text(text="[file left out]"), Text(text="[tool_reference left out]"))
    assert parts == [ToolResult(call_id="t1", parts=texts)]
    assert {note.path for note in notes} == {"c[0].content", "c[0].content[1]"}


def test_blocks_from_here_and_there_are_noted_where_they_stood() -> None:
    notes: list[Note] = []
    decode_blocks([{"type": "a"}, {"type": "b"}], "c", notes, [2, 5])

    assert [note.path for note in notes] == ["c[2]", "c[5]"]


def test_an_image_that_is_only_an_id_is_none() -> None:
    assert decode_image({"type": "image", "source": {"type": "file", "file_id": "f"}}) is None


def test_one_text_alone_is_a_string_and_an_empty_one_stands_only_alone() -> None:
    assert encode_content([Text(text="a")]) == "a"
    assert encode_content([Text(text="")]) == ""
    assert encode_content([Text(text=""), Refusal(text="no")]) == "no"
    assert encode_content([]) == []
    assert len(encode_content([Text(text="a"), Text(text="b")])) == 2


def test_thinking_that_is_both_readable_and_not_becomes_two_blocks() -> None:
    blocks = list(encode_reasoning("t", {"redacted": "d", "encrypted": "of another protocol"}))

    assert blocks == [
        {"type": "thinking", "thinking": "t", "signature": ""},
        {"type": "redacted_thinking", "data": "d"},
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [("", {}), ("null", {}), ('{"a":1}', {"a": 1}), ('{"a":[1', {"a": [1]}), ("not json", {"arguments": "not json"})],
)
def test_the_arguments_of_a_call_are_an_object_whatever_the_model_wrote(arguments: str, found: dict[str, Any]) -> None:
    (block,) = encode_blocks([ToolCall(id="t", name="f", arguments=arguments)])

    assert block["input"] == found


def test_what_has_no_word_here_is_left_out() -> None:
    assert encode_blocks([Audio(data="A", format="wav"), Opaque(protocol="gemini", value={}), Text(text="a")]) == [
        {"type": "text", "text": "a"}
    ]
