from typing import Any

import pytest

from iflow_cli_proxy.core.request import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames
from iflow_cli_proxy.protocols.openai_responses.turns import Turns, decode_items, encode_messages

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I think."}]}
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def turns(*items: dict[str, Any]) -> Turns:
    return decode_items(items, ToolNames({}))


def parts(*items: dict[str, Any]) -> tuple[Part, ...]:
    (message,) = turns(*items).messages
    return message.parts


def test_what_the_model_said_in_one_go_is_one_message_in_order() -> None:
    second = CALL | {"call_id": "c2"}
    found = turns(HI, THOUGHT, SAID, CALL, second, OUTPUT, OUTPUT | {"call_id": "c2"}, THOUGHT, SAID).messages

    assert [message.role for message in found] == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.TOOL, Role.ASSISTANT]
    assert found[1].parts == (
        Reasoning(text="I think."),
        Text(text="Hm."),
        ToolCall(id="c1", name="f", arguments="{}"),
        ToolCall(id="c2", name="f", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", Role.USER), ("assistant", Role.ASSISTANT), ("system", Role.SYSTEM), ("developer", Role.SYSTEM)],
)
def test_a_message_may_be_a_string_and_lack_its_type(role: str, expected: Role) -> None:
    (message,) = turns({"role": role, "content": "Hi"}).messages

    assert (message.role, message.parts) == (expected, (Text(text="Hi"),))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": "a"}, Text(text="a")),
        ({"type": "output_text", "text": "a", "annotations": []}, Text(text="a")),
        ({"type": "text", "text": "a"}, Text(text="a")),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        ({"type": "input_image", "image_url": "https://e.org/a"}, Image(url="https://e.org/a")),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
            Image(data="AA", media_type="image/png", detail="low"),
        ),
        ({"type": "input_file", "file_url": "https://e.org/a"}, File(url="https://e.org/a")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
            File(name="a.pdf", data="AA", media_type="application/pdf"),
        ),
        ({"type": "input_file", "file_id": "file-1"}, File(file_id="file-1")),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, Audio(data="AA", format="wav")),
    ],
)
def test_every_kind_of_part_is_read(part: dict[str, Any], expected: Part) -> None:
    assert parts({"role": "user", "content": [part]}) == (expected,)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (THOUGHT, Reasoning(text="I think.")),
        (
            {"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "gAAA"},
            Reasoning(text="a\n\nb", seals={"encrypted": "gAAA"}),
        ),
        (
            {"type": "reasoning", "summary": [{"text": "a"}], "content": [{"text": "all of it"}]},
            Reasoning(text="all of it"),
        ),
        (
            {"type": "reasoning", "summary": [], "encrypted_content": "iflow2api.seal.signature:Eq=="},
            Reasoning(seals={"signature": "Eq=="}),
        ),
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": 'a"b'},
            ToolCall(id="c", name="apply_patch", arguments='{"input":"a\\"b"}'),
        ),
        (CALL | {"namespace": "n"}, ToolCall(id="c1", name="n__f", arguments="{}")),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
            ToolCall(id="c", name="local_shell", arguments='{"command":["ls"]}'),
        ),
    ],
)
def test_thinking_and_calls_are_read(item: dict[str, Any], expected: Part) -> None:
    assert parts(item) == (expected,)


def test_thinking_with_nothing_in_it_is_no_part_and_still_goes_back() -> None:
    empty = {"type": "reasoning", "id": "rs", "summary": [], "content": None, "encrypted_content": None}
    found = turns(HI, empty, CALL, empty, OUTPUT, empty)

    assert [len(message.parts) for message in found.messages] == [1, 1, 1]
    assert found.notes == ()
    assert [*encode_messages(found.messages), *found.rest] == [HI, empty, CALL, empty, OUTPUT, empty]


def test_an_output_holds_text_and_images_and_the_names_of_the_rest() -> None:
    output = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "https://e.org/a"},
        {"type": "input_file", "filename": "a.pdf", "file_id": "f"},
    ]
    found = turns(CALL, OUTPUT | {"output": output})

    assert found.messages[1].parts == (
        ToolResult(
            call_id="c1",
            parts=(
                Text(text="a"),
                Image(url="https://e.org/a"),
                Text(text="[a file that cannot be shown here: a.pdf]"),
            ),
        ),
    )
    assert [note.path for note in found.notes] == ["input[1]"]


def test_an_item_nobody_knows_stays_where_it_stood_and_is_noted() -> None:
    odd = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    found = turns(odd, HI, SAID, odd, CALL, OUTPUT, odd)

    assert [message.role for message in found.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL]
    assert found.messages[0].parts == (Opaque(protocol="openai_responses", value=odd), Text(text="Hi"))
    assert found.messages[1].parts[1] == Opaque(protocol="openai_responses", value=odd)
    assert found.rest == (odd,)
    assert [note.path for note in found.notes] == ["input[0]", "input[3]", "input[6]"]
    assert encode_messages(found.messages) == [odd, HI, SAID, odd, CALL, OUTPUT]


@pytest.mark.parametrize(
    "item",
    [
        HI,
        SAID,
        THOUGHT,
        CALL,
        OUTPUT,
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": []},
        {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": "Hi", "phase": "x"},
        {"role": "developer", "content": [{"type": "input_text", "text": "a", "prompt_cache_breakpoint": {}}]},
        {"role": "user", "content": [{"type": "input_image", "file_id": "f", "detail": "auto"}]},
        {"role": "user", "content": [{"type": "input_video", "x": 1}, {"type": "input_text", "text": "a"}]},
        CALL | {"id": "fc_1", "status": "completed", "namespace": "n"},
        OUTPUT | {"output": [{"type": "input_text", "text": "a"}]},
        OUTPUT | {"output": [{"type": "input_file", "file_id": "f"}], "id": "fco"},
        {"type": "custom_tool_call", "id": "x", "call_id": "c", "name": "p", "input": "a"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "a"},
        {"type": "local_shell_call", "call_id": "c", "status": "completed", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "c", "output": "a"},
        {"type": "reasoning", "id": "r", "summary": [], "content": None, "encrypted_content": None},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": ""}], "encrypted_content": "x"},
        {"type": "compaction", "encrypted_content": "x"},
    ],
)
def test_an_unchanged_message_becomes_the_item_it_was_made_of(item: dict[str, Any]) -> None:
    found = turns(item)

    assert [*encode_messages(found.messages), *found.rest] == [item]


def test_a_message_of_another_protocol_becomes_items_in_its_order() -> None:
    message = Message(
        role=Role.ASSISTANT,
        parts=(
            Reasoning(text="Hm.", seals={"signature": "s"}),
            Text(text="a"),
            Refusal(text="b"),
            ToolCall(id="c", name="f", arguments="{}"),
            Opaque(protocol="anthropic", value={}),
            Text(text="d"),
        ),
    )

    assert encode_messages([message]) == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "iflow2api.seal.signature:s",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "d"}]},
    ]


def test_nothing_becomes_of_what_says_nothing() -> None:
    silent = Message(role=Role.ASSISTANT, parts=(Text(text=""), Reasoning(), ToolCall(id="c", name="f")))

    assert [item["type"] for item in encode_messages([silent])] == ["function_call"]


def test_results_of_another_protocol_are_a_string_or_a_list() -> None:
    plain = ToolResult(call_id="c", parts=(Text(text="a"),))
    empty = ToolResult(call_id="c")
    pictured = ToolResult(call_id="c", parts=(Text(text="a"), Image(url="https://e.org/a")))

    items = encode_messages([Message(role=Role.TOOL, parts=(one,)) for one in (plain, empty, pictured)])

    assert [item["output"] for item in items] == [
        "a",
        "",
        [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://e.org/a"}],
    ]


def test_arguments_that_nothing_can_be_made_of_are_told_as_text() -> None:
    def told(arguments: str) -> str:
        items = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}]
        (part,) = decode_items(items, ToolNames({})).messages[0].parts
        assert isinstance(part, ToolCall)
        return part.arguments

    assert told("{'cmd': 'ls'}") == "{\"input\":\"{'cmd': 'ls'}\"}"
    assert told('{"cmd": "ls') == '{"cmd": "ls'  # what was only cut off is mended by whoever knows the upstream
    assert told('{"cmd": "ls"}') == '{"cmd": "ls"}'


def test_such_a_call_is_written_as_it_came() -> None:
    items = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{'cmd'"}]

    assert encode_messages(decode_items(items, ToolNames({})).messages) == items
