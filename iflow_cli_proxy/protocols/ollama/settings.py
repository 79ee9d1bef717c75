"""`options`, `format`, `think` and `tools`, to canonical words and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import Sampling, Thinking, ToolSpec

_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_FUNCTION: Final = "function"


def decode_sampling(options: Mapping[str, Json]) -> Sampling:
    limit, stop = _whole(options.get("num_predict")), options.get("stop")
    return Sampling(
        max_tokens=limit if limit is not None and limit > 0 else None,
        temperature=options.get("temperature"),
        top_p=options.get("top_p"),
        top_k=_whole(options.get("top_k")),
        presence_penalty=options.get("presence_penalty"),
        frequency_penalty=options.get("frequency_penalty"),
        seed=_whole(options.get("seed")),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
    )


def _whole(number: Json) -> int | None:
    return None if number is None else int(number)


def encode_options(sampling: Sampling) -> dict[str, Json]:
    options: dict[str, Any] = {
        "num_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def decode_thinking(think: Json) -> Thinking:
    if isinstance(think, str) and think:
        return Thinking(is_on=True, effort=think)
    return Thinking(is_on=think) if isinstance(think, bool) else Thinking()


def encode_thinking(thinking: Thinking) -> Json:
    if thinking.is_on is False or thinking.effort == "none":
        return False
    return _EFFORTS.get(thinking.effort) or thinking.is_on or (True if thinking.budget else None)


def decode_format(wanted: Json) -> dict[str, Json] | None:
    if isinstance(wanted, dict) and wanted:
        return {"type": "json_schema", "json_schema": {"name": "response", "schema": wanted}}
    return {"type": "json_object"} if wanted == "json" else None


def encode_format(wanted: Mapping[str, Json] | None) -> Json:
    match (wanted or {}).get("type"):
        case "json_object":
            return "json"
        case "json_schema":
            return ((wanted or {}).get("json_schema") or {}).get("schema")
        case _:
            return None


def decode_tools(wires: Sequence[Mapping[str, Json]], notes: list[Note]) -> tuple[ToolSpec, ...]:
    tools = []
    for at, wire in enumerate(wires):
        if wire.get("type", _FUNCTION) == _FUNCTION:
            tools.append(_decode_tool(wire[_FUNCTION]))
        else:
            what = f"the hosted tool {wire['type'][:64]} is not offered by this upstream, so it was left out"
            notes.append(Note(f"tools[{at}]", what))
    return tuple(tools)


def _decode_tool(function: Mapping[str, Json]) -> ToolSpec:
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters"),
    )


def encode_tools(tools: Sequence[ToolSpec]) -> list[Json] | None:
    return [_encode_tool(tool) for tool in tools] or None


def _encode_tool(tool: ToolSpec) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    return {"type": _FUNCTION, _FUNCTION: function}
