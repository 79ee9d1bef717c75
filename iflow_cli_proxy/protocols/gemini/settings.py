"""`generationConfig`, `tools` and `toolConfig`, to canonical words and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Sampling, Thinking, ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.gemini.schema import json_schema

_DYNAMIC: Final = -1
"""A thinking budget that the model may choose."""
_JSON: Final = "application/json"
_PLAIN: Final = (None, "", "text/plain", _JSON)
"""Types of answers that are understood: `text/x.enum`, one bare word of a list, is none of them."""
_FUNCTIONS: Final = "functionDeclarations"
_LEVELS: Final = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_MODES: Final = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}

# --- generationConfig ---------------------------------------------------------------------------------------------


def decode_sampling(config: Mapping[str, Json]) -> Sampling:
    top_k = config.get("topK")
    return Sampling(
        max_tokens=config.get("maxOutputTokens") or None,
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        top_k=None if top_k is None else int(top_k),
        presence_penalty=config.get("presencePenalty"),
        frequency_penalty=config.get("frequencyPenalty"),
        seed=config.get("seed"),
        stop=tuple(config.get("stopSequences") or ()),
        n=config.get("candidateCount") or 1,
    )


def decode_thinking(config: Mapping[str, Json]) -> Thinking:
    """To have thoughts shown (`includeThoughts`) is not to ask for any."""
    thinking = config.get("thinkingConfig") or {}
    level, budget = (thinking.get("thinkingLevel") or "").lower(), thinking.get("thinkingBudget")
    if level in _LEVELS:
        return Thinking(is_on=True, effort=level)
    if budget is None:
        return Thinking()
    return Thinking(is_on=budget != 0, budget=budget if budget > 0 else None)


def shows_thoughts(asked: Mapping[str, Json]) -> bool:
    """Whether the client wants to read them; a body that nobody knows is taken for one that does."""
    config = asked.get("generationConfig") or {}
    return not asked or bool((config.get("thinkingConfig") or {}).get("includeThoughts"))


def unsayable(config: Mapping[str, Json]) -> Iterator[Note]:
    """What was asked of the answer's form and no other protocol has a word for."""
    for name in ("responseLogprobs", "logprobs"):
        if config.get(name):
            yield Note(f"generationConfig.{name}", "probabilities of tokens cannot be told, so they were left out")
    if config.get("responseMimeType") not in _PLAIN:
        what = "an answer of this type cannot be demanded of this upstream, so its form is the model's choice"
        yield Note("generationConfig.responseMimeType", what)


def decode_response_format(config: Mapping[str, Json]) -> dict[str, Json] | None:
    if config.get("responseMimeType") != _JSON:
        return None
    schema = config.get("responseJsonSchema")
    if schema is None and config.get("responseSchema") is not None:
        schema = json_schema(config["responseSchema"])
    if schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}


def encode_config(request: ChatRequest) -> dict[str, Json]:
    sampling = request.sampling
    config: dict[str, Any] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "maxOutputTokens": sampling.max_tokens,
        "stopSequences": list(sampling.stop) or None,
        "candidateCount": sampling.n if sampling.n != 1 else None,
        "seed": sampling.seed,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
        "thinkingConfig": _encode_thinking(request.thinking),
        **_encode_response_format(request.response_format),
    }
    return {name: value for name, value in config.items() if value is not None}


def _encode_thinking(thinking: Thinking) -> dict[str, Json] | None:
    if thinking.is_on is False or thinking.effort == "none":
        return {"thinkingBudget": 0}
    if thinking.effort in _LEVELS:
        return {"includeThoughts": True, "thinkingLevel": _LEVELS[thinking.effort]}
    if thinking.budget is not None or thinking.is_on:
        return {"includeThoughts": True, "thinkingBudget": thinking.budget or _DYNAMIC}
    return None


def _encode_response_format(wanted: Mapping[str, Json] | None) -> dict[str, Json]:
    match (wanted or {}).get("type"):
        case "json_object":
            return {"responseMimeType": _JSON}
        case "json_schema":
            schema = ((wanted or {}).get("json_schema") or {}).get("schema")
            return {"responseMimeType": _JSON, "responseJsonSchema": schema}
        case _:
            return {}


# --- tools --------------------------------------------------------------------------------------------------------


def decode_tools(values: Mapping[str, Json], notes: list[Note]) -> tuple[ToolSpec, ...]:
    """Every function; only those that may be called, where a call is demanded of a few of them."""
    tools = values.get("tools") or ()
    notes += _hosted(tools)
    allowed = _calling(values).get("allowedFunctionNames") if _mode(values) == "required" else None
    found = (_decode_tool(function) for tool in tools for function in tool.get(_FUNCTIONS) or ())
    return tuple(tool for tool in found if not allowed or tool.name in allowed)


def _hosted(tools: Sequence[Mapping[str, Json]]) -> Iterator[Note]:
    for at, tool in enumerate(tools):
        for name, value in tool.items():
            if name != _FUNCTIONS and value is not None:
                what = f"the hosted tool {name[:64]} is not offered by this upstream, so it was left out"
                yield Note(f"tools[{at}].{name[:64]}", what)


def _decode_tool(function: Mapping[str, Json]) -> ToolSpec:
    parameters = function.get("parametersJsonSchema")
    if parameters is None and function.get("parameters") is not None:
        parameters = json_schema(function["parameters"])
    return ToolSpec(name=function["name"], description=function.get("description") or "", parameters=parameters)


def decode_tool_choice(values: Mapping[str, Json], tools: Sequence[ToolSpec]) -> ToolChoice | None:
    """Nothing can be chosen where no tool is left."""
    mode = _mode(values)
    if not tools or not mode:
        return None
    if mode == "required" and len(tools) == 1 and _calling(values).get("allowedFunctionNames"):
        return ToolChoice(mode="function", name=tools[0].name)
    return ToolChoice(mode=mode)


def _mode(values: Mapping[str, Json]) -> str:
    return _MODES.get((_calling(values).get("mode") or "").upper(), "")


def _calling(values: Mapping[str, Json]) -> Mapping[str, Json]:
    calling: Mapping[str, Json] = (values.get("toolConfig") or {}).get("functionCallingConfig") or {}
    return calling


def encode_tools(tools: Sequence[ToolSpec]) -> list[Json] | None:
    return [{_FUNCTIONS: [_encode_tool(tool) for tool in tools]}] if tools else None


def _encode_tool(tool: ToolSpec) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parametersJsonSchema"] = tool.parameters
    return function


def encode_tool_choice(choice: ToolChoice | None) -> dict[str, Json] | None:
    if choice is None:
        return None
    if choice.mode == "function":
        return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice.name]}}
    mode = {"required": "ANY", "none": "NONE"}.get(choice.mode, "AUTO")
    return {"functionCallingConfig": {"mode": mode}}
