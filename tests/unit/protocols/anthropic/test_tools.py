from typing import Any

import pytest

from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.anthropic.tools import decode_tools, encode_tools

READ: dict[str, Any] = {"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}, "strict": True}
SEARCH: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def encoded(**fields: Any) -> dict[str, Any]:
    return encode_tools(ChatRequest(model="m", messages=(), **fields))


def test_a_tool_of_the_clients_own_goes_both_ways() -> None:
    box = decode_tools({"tools": [READ, {**READ, "type": "custom"}]})

    spec = ToolSpec(name="Read", description="Reads.", parameters={"type": "object"}, is_strict=True)
    assert box.tools == (spec, spec)
    assert box.notes == []
    assert encoded(tools=box.tools[:1]) == {"tools": [READ]}


def test_a_tool_that_takes_nothing_still_has_a_schema() -> None:
    assert encoded(tools=(ToolSpec(name="f"),))["tools"] == [
        {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    ]


@pytest.mark.parametrize(
    ("wire", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice(mode="auto"), None),
        ({"type": "any"}, ToolChoice(mode="required"), None),
        ({"type": "none"}, ToolChoice(mode="none"), None),
        ({"type": "tool", "name": "Read"}, ToolChoice(mode="function", name="Read"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(mode="auto"), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice(mode="required"), True),
    ],
)
def test_every_form_of_choice_goes_both_ways(wire: dict[str, Any], choice: ToolChoice, parallel: bool | None) -> None:
    box = decode_tools({"tools": [READ], "tool_choice": wire})

    assert (box.choice, box.allows_parallel_calls) == (choice, parallel)
    again = encoded(tools=box.tools, tool_choice=box.choice, allows_parallel_calls=box.allows_parallel_calls)
    assert again["tool_choice"] == wire


def test_one_call_at_a_time_needs_a_choice_to_be_said_in() -> None:
    tools = (ToolSpec(name="f"),)

    assert encoded(tools=tools, allows_parallel_calls=False)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    assert "tool_choice" not in encoded(tools=tools, allows_parallel_calls=True)
    assert encoded(allows_parallel_calls=False) == {}


def test_a_hosted_tool_is_left_out_with_a_note() -> None:
    box = decode_tools({"tools": [READ, SEARCH], "tool_choice": {"type": "auto"}})

    assert [tool.name for tool in box.tools] == ["Read"]
    assert box.choice == ToolChoice(mode="auto")
    assert box.notes == [
        Note("tools[1]", "the hosted tool web_search is not offered by this upstream, so it was left out")
    ]


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([SEARCH], {"type": "auto"}),
        ([], {"type": "any", "disable_parallel_tool_use": True}),
        ([READ, SEARCH], {"type": "tool", "name": "web_search"}),
    ],
)
def test_a_choice_goes_with_the_tools_it_is_about(tools: list[Any], choice: dict[str, Any]) -> None:
    box = decode_tools({"tools": tools, "tool_choice": choice})

    assert box.choice is None
    assert box.allows_parallel_calls is None
    assert box.notes[-1] == Note("tool_choice", "left out with the tools it is about")


def test_no_tools_are_nothing_to_say() -> None:
    assert decode_tools({}) == ((), None, None, [])
    assert encoded() == {}
