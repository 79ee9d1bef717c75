"""Which tools the model may or must use, in all forms in which a Responses request says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames

_MODES: Final = ("auto", "none", "required")
_GONE: Final = "it names a tool that is not offered by this upstream, so it was left out"


class Chosen(NamedTuple):
    """The tools that are left, the choice among them, and what had to be left out."""

    tools: tuple[ToolSpec, ...]
    choice: ToolChoice | None
    note: str = ""


def decode_choice(choice: Json, tools: tuple[ToolSpec, ...], names: ToolNames) -> Chosen:
    """Without tools there is nothing to choose: upstreams refuse a choice among none."""
    if not tools or choice is None:
        return Chosen(tools, None)
    if isinstance(choice, str):
        known = choice in _MODES
        return Chosen(tools, ToolChoice(mode=choice) if known else None, "" if known else _GONE)
    if choice.get("type") == "allowed_tools":
        return _among(choice, tools, names)
    name = _named(choice, names)
    if name in {tool.name for tool in tools}:
        return Chosen(tools, ToolChoice(mode="function", name=name))
    return Chosen(tools, None, _GONE)


def _among(choice: Mapping[str, Json], tools: tuple[ToolSpec, ...], names: ToolNames) -> Chosen:
    """Some of the tools, and whether one of them must be used."""
    listed = choice.get("tools")
    allowed = {_named(tool, names) for tool in (listed if isinstance(listed, list) else ()) if isinstance(tool, dict)}
    left = tuple(tool for tool in tools if tool.name in allowed)
    if not left:
        return Chosen(tools, None, _GONE)
    return Chosen(left, ToolChoice(mode="required" if choice.get("mode") == "required" else "auto"))


def _named(tool: Mapping[str, Json], names: ToolNames) -> str:
    name, namespace = tool.get("name"), tool.get("namespace")
    if tool.get("type") not in ("function", "custom") or not isinstance(name, str):
        return ""
    if isinstance(namespace, str):
        return names.flat(name, namespace)
    return names.function_of(name)


def encode_choice(choice: ToolChoice | None) -> Json:
    if choice is None:
        return None
    return {"type": "function", "name": choice.name} if choice.mode == "function" else choice.mode
