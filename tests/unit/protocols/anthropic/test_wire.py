from typing import Any

import msgspec
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.anthropic.wire import BLOCKS, WireRequest, decode_event, decode_whole

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": "../etc"}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f", "input_schema": "none"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"budget_tokens": 5}}, "thinking.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert(BODY | fields, WireRequest)

    assert caught.value.path == path


def test_a_hosted_tool_needs_no_name_and_max_tokens_may_be_missing() -> None:
    request = jsonx.convert(BODY | {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]}, WireRequest)

    assert request.max_tokens is None
    assert request.tools is not None
    assert request.tools[0].name is None


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "text"}, "text"),
        ({"type": "image", "source": {"type": "base64", "data": "AAAA"}}, "source.media_type"),
        ({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}, "source.url"),
        ({"type": "document", "source": {"type": "file"}}, "source.file_id"),
        ({"type": "tool_use", "id": "t", "name": "f", "input": []}, "input"),
        ({"type": "tool_result", "content": "x"}, "tool_use_id"),
        ({"type": "thinking", "signature": "s"}, "thinking"),
        ({"type": "redacted_thinking"}, "data"),
        ({"type": "search_result", "content": "x"}, "content"),
    ],
)
def test_a_block_holds_what_its_type_cannot_do_without(block: dict[str, Any], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert(block, BLOCKS[block["type"]])

    assert caught.value.path == path


def test_a_source_of_an_unknown_type_is_tolerated() -> None:
    source = jsonx.convert({"type": "image", "source": {"type": "cloud"}}, BLOCKS["image"])

    assert msgspec.to_builtins(source)["source"]["type"] == "cloud"


def test_an_event_has_a_type_and_an_answer_has_content() -> None:
    for decode, data in ((decode_event, b'{"choices":[]}'), (decode_whole, b'{"choices":[]}')):
        with pytest.raises(JsonError):
            decode(data)
