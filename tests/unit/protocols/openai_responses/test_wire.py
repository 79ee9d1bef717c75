import msgspec
import pytest

from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.checking import NOT_FOR_CLIENTS
from iflow_cli_proxy.protocols.openai_responses.wire import WireRequest, check_items, check_tools, type_of


def test_no_word_for_other_gateways_is_a_field_of_a_request() -> None:
    assert not {field.name for field in msgspec.structs.fields(WireRequest)} & set(NOT_FOR_CLIENTS)


def test_a_message_may_come_without_its_type() -> None:
    assert type_of({"role": "user", "content": "Hi"}) == "message"
    assert type_of({"type": "reasoning"}) == "reasoning"
    assert type_of({"content": "Hi"}) == type_of({"type": 5}) == ""


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({}, "input[0].type"),
        ({"role": "robot", "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        ({"role": "user", "content": 5}, "input[0].content"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text"),
        ({"role": "user", "content": [{"text": "x"}]}, "input[0].content[0].type"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "input[0].content[0].image_url"),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc/passwd"}]},
            "input[0].content[0].image_url",
        ),
        ({"role": "user", "content": [{"type": "input_file"}]}, "input[0].content[0].file_data"),
        (
            {"role": "user", "content": [{"type": "input_file", "file_url": "file:///x"}]},
            "input[0].content[0].file_url",
        ),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "c", "arguments": "{}"}, "input[0].name"),
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}, "input[0].arguments"),
        ({"type": "custom_tool_call", "call_id": "c", "name": "f"}, "input[0].input"),
        ({"type": "function_call_output", "call_id": "c"}, "input[0].output"),
        ({"type": "function_call_output", "call_id": "c", "output": {"content": "x"}}, "input[0].output"),
        ({"type": "reasoning", "summary": "x"}, "input[0].summary"),
        ({"type": "local_shell_call", "action": "ls"}, "input[0].action"),
        ({"type": "item_reference"}, "input[0].id"),
        ({"type": "additional_tools", "tools": [5]}, "input[0].tools[0]"),
        ({"type": "additional_tools", "tools": [{"type": "function"}]}, "input[0].tools[0].name"),
    ],
)
def test_a_bad_item_is_named_by_the_path_of_what_is_wrong(item: dict[str, object], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        check_items([item], "input")

    assert caught.value.path == path


def test_items_and_parts_of_a_kind_we_do_not_know_are_nobodys_mistake() -> None:
    check_items(
        [
            {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
            {"type": "reasoning", "summary": [], "content": None},
            {"role": "user", "content": [{"type": "input_video", "text": None}]},
            {"type": "compaction", "encrypted_content": "x"},
        ],
        "input",
    )


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ({}, "tools[0].type"),
        ({"type": "function"}, "tools[0].name"),
        ({"type": "function", "function": {"name": "f"}}, "tools[0].name"),
        ({"type": "function", "name": "f", "parameters": []}, "tools[0].parameters"),
        ({"type": "custom", "name": "f", "format": {}}, "tools[0].format.type"),
        ({"type": "namespace", "name": "n"}, "tools[0].tools"),
        ({"type": "namespace", "name": "n", "tools": [{"type": "function"}]}, "tools[0].tools[0].name"),
    ],
)
def test_a_bad_tool_is_named_by_the_path_of_what_is_wrong(tool: dict[str, object], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        check_tools([tool], "tools")

    assert caught.value.path == path


def test_hosted_tools_look_as_they_like() -> None:
    check_tools([{"type": "mcp", "server_label": "x"}, {"type": "shell", "environment": {"type": "local"}}], "tools")
