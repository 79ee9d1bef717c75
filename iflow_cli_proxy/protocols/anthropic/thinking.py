"""How much to think, and in which form to answer: `thinking`, `output_config` and the older `output_format`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import ChatRequest, Thinking
from iflow_cli_proxy.protocols.anthropic.wire import JSON_SCHEMA

_SCHEMA_NAME: Final = "response"
"""OpenAI wants a name for every schema; Anthropic has none."""
_EFFORTS: Final = {"minimal": "low"}
"""Words of others for which Anthropic has a neighbour."""
_NO_EFFORT: Final = "none"


def decode_thinking(values: Mapping[str, Json]) -> Thinking:
    """Any type of thinking but `disabled` is on, `adaptive` and `between_tools` without a budget."""
    found = values.get("thinking")
    effort = (values.get("output_config") or {}).get("effort") or ""
    if not found:
        return Thinking(effort=effort)
    is_on = found["type"] != "disabled"
    return Thinking(is_on=is_on, effort=effort, budget=found.get("budget_tokens") if is_on else None)


def decode_format(values: Mapping[str, Json]) -> Mapping[str, Any] | None:
    found = (values.get("output_config") or {}).get("format") or values.get("output_format")
    if not found or found["type"] != JSON_SCHEMA:
        return None
    return {"type": JSON_SCHEMA, JSON_SCHEMA: {"name": _SCHEMA_NAME, "schema": found["schema"]}}


def encode_thinking(thinking: Thinking, response_format: Mapping[str, Any] | None) -> dict[str, Json]:
    """The fields `thinking` and `output_config`, as far as there is something to say."""
    out: dict[str, Json] = {}
    if thinking.is_on is not None:
        out["thinking"] = _encode_switch(thinking)
    config: dict[str, Json] = {}
    if thinking.effort and thinking.effort != _NO_EFFORT:
        config["effort"] = _EFFORTS.get(thinking.effort, thinking.effort)
    if response_format is not None and response_format.get("type") == JSON_SCHEMA:
        config["format"] = {"type": JSON_SCHEMA, "schema": (response_format.get(JSON_SCHEMA) or {}).get("schema") or {}}
    if config:
        out["output_config"] = config
    return out


def _encode_switch(thinking: Thinking) -> Json:
    if not thinking.is_on:
        return {"type": "disabled"}
    if thinking.budget is not None:
        return {"type": "enabled", "budget_tokens": thinking.budget}
    return {"type": "adaptive"}


def encode_answer_form(request: ChatRequest, extras: Mapping[str, Json]) -> dict[str, Json]:
    """The same for a whole request whose `extras` may already say the form in the older field."""
    is_said = "output_format" in extras
    return encode_thinking(request.thinking, None if is_said else request.response_format)
