"""Tools and the choice among them, both ways.

Anthropic runs some tools itself, and knows the shape of others without being told; they bear a `type`. No other
upstream has them, so they are left out of the canonical request with a note, and return only to Anthropic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.anthropic.wire import CUSTOM

_MODES: Final = {"auto": "auto", "any": "required", "none": "none", "tool": "function"}
_WORDS: Final = {mode: word for word, mode in _MODES.items()}
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}


class Toolbox(NamedTuple):
    """What a request says about tools."""

    tools: tuple[ToolSpec, ...]
    choice: ToolChoice | None
    allows_parallel_calls: bool | None
    notes: list[Note]


def decode_tools(values: Mapping[str, Json]) -> Toolbox:
    given: Sequence[Mapping[str, Json]] = values.get("tools") or ()
    choice: Mapping[str, Json] | None = values.get("tool_choice")
    own = [tool for tool in given if _is_own(tool)]
    notes = [_left_out(at, tool) for at, tool in enumerate(given) if not _is_own(tool)]
    if choice is not None and not _can_choose(choice, own):
        notes.append(Note("tool_choice", "left out with the tools it is about"))
        choice = None
    parallel = None if choice is None else choice.get("disable_parallel_tool_use")
    return Toolbox(
        tools=tuple(_decode_tool(tool) for tool in own),
        choice=None if choice is None else _decode_choice(choice),
        allows_parallel_calls=None if parallel is None else not parallel,
        notes=notes,
    )


def encode_tools(request: ChatRequest) -> dict[str, Json]:
    """The fields `tools` and `tool_choice`, as far as there is something to say."""
    out: dict[str, Json] = {}
    if request.tools:
        out["tools"] = [_encode_tool(tool) for tool in request.tools]
    choice = request.tool_choice
    if choice is None and request.tools and request.allows_parallel_calls is False:
        choice = ToolChoice(mode="auto")
    if choice is not None:
        found: dict[str, Json] = {"type": _WORDS.get(choice.mode, "auto")}
        if choice.mode == "function":
            found["name"] = choice.name
        if request.allows_parallel_calls is not None and choice.mode != "none":
            found["disable_parallel_tool_use"] = not request.allows_parallel_calls
        out["tool_choice"] = found
    return out


def _is_own(tool: Mapping[str, Json]) -> bool:
    return tool.get("type") in (None, CUSTOM)


def _left_out(at: int, tool: Mapping[str, Json]) -> Note:
    name = tool.get("name") or tool["type"]
    return Note(f"tools[{at}]", f"the hosted tool {name} is not offered by this upstream, so it was left out")


def _can_choose(choice: Mapping[str, Json], tools: Sequence[Mapping[str, Json]]) -> bool:
    if choice["type"] == "tool":
        return any(tool["name"] == choice["name"] for tool in tools)
    return bool(tools)


def _decode_tool(tool: Mapping[str, Json]) -> ToolSpec:
    return ToolSpec(
        name=tool["name"],
        description=tool.get("description") or "",
        parameters=tool.get("input_schema"),
        is_strict=tool.get("strict"),
    )


def _decode_choice(choice: Mapping[str, Json]) -> ToolChoice:
    mode = _MODES[choice["type"]]
    return ToolChoice(mode=mode, name=choice["name"] if mode == "function" else "")


def _encode_tool(tool: ToolSpec) -> dict[str, Json]:
    out: dict[str, Json] = {"name": tool.name}
    if tool.description:
        out["description"] = tool.description
    out["input_schema"] = _NO_PARAMETERS if tool.parameters is None else tool.parameters
    if tool.is_strict is not None:
        out["strict"] = tool.is_strict
    return out
