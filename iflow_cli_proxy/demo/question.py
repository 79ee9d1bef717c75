"""A request to the demo upstream, read for what the answer depends on. Tolerant: odd values count as absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.routing.catalog import Model

_MOST_CHOICES: Final = 8


@dataclass(frozen=True, kw_only=True)
class Tool:
    name: str
    schema: Json


@dataclass(frozen=True, kw_only=True)
class Question:
    model: str
    prompt: str
    """The last thing the user said."""
    tool_results: tuple[str, ...]
    """What the tools answered since then."""
    has_image: bool
    tools: tuple[Tool, ...]
    tool_choice: str
    """`auto`, `none`, `required`, or the name of a tool."""
    is_parallel: bool
    thinks: bool
    max_tokens: int
    """0: no limit."""
    stop: tuple[str, ...]
    choices: int
    schema: Json
    """Of a JSON answer; True for any object, None for text."""
    is_stream: bool
    wants_usage: bool
    prompt_tokens: int


def read_question(body: Mapping[str, Any], model: Model) -> Question:
    messages = [one for one in _list(body.get("messages")) if isinstance(one, dict)]
    results: list[str] = []
    for message in reversed(messages):
        if message.get("role") in ("system", "developer"):
            continue  # a reminder that an agent puts behind its tool results
        if message.get("role") not in ("tool", "function"):
            break
        results.insert(0, _text(message.get("content")))
    user = next((one for one in reversed(messages) if one.get("role") == "user"), {})
    options = body.get("stream_options")
    return Question(
        model=model.id,
        prompt=_text(user.get("content")).strip(),
        tool_results=tuple(results),
        has_image=any(_is_image(part) for part in _list(user.get("content"))),
        tools=tuple(_tools(body.get("tools"))),
        tool_choice=_tool_choice(body.get("tool_choice")),
        is_parallel=body.get("parallel_tool_calls") is not False,
        thinks=_thinks(body, model),
        max_tokens=_limit(body),
        stop=_stop(body.get("stop")),
        choices=min(max(1, _whole(body.get("n"))), _MOST_CHOICES),
        schema=_schema(body.get("response_format")),
        is_stream=body.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        prompt_tokens=count_tokens(jsonx.encode([messages, _list(body.get("tools"))]).decode()),
    )


def count_tokens(text: str) -> int:
    """Roughly: four characters make a token."""
    return -(-len(text) // 4)


def _thinks(body: Mapping[str, Any], model: Model) -> bool:
    if model.thinking == "no":
        return False
    if model.thinking == "always":
        return True
    template, thinking = body.get("chat_template_kwargs"), body.get("thinking")
    says = [
        template.get("enable_thinking") if isinstance(template, dict) else None,
        body.get("enable_thinking"),
        thinking.get("type") == "enabled" if isinstance(thinking, dict) else None,
        body.get("thinking_mode"),
        body.get("reasoning"),
        body.get("reasoning_split"),
    ]
    return any(said is True for said in says)


def _tools(value: Json) -> list[Tool]:
    found = []
    for tool in _list(value):
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            found.append(Tool(name=function["name"], schema=function.get("parameters") or {"type": "object"}))
    return found


def _tool_choice(value: Json) -> str:
    if isinstance(value, dict):
        function = value.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        return name if isinstance(name, str) else "auto"
    return value if value in ("none", "required") else "auto"


def _schema(value: Json) -> Json:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "json_schema":
        inner = value.get("json_schema")
        return inner.get("schema") or True if isinstance(inner, dict) else True
    return True if kind == "json_object" else None


def _limit(body: Mapping[str, Any]) -> int:
    named = (_whole(body.get(name)) for name in ("max_new_tokens", "max_completion_tokens", "max_tokens"))
    return next((limit for limit in named if limit > 0), 0)


def _stop(value: Json) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else _list(value)
    return tuple(one for one in values if isinstance(one, str) and one)


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in _list(content) if isinstance(part, dict))
    return "\n".join(part for part in parts if isinstance(part, str))


def _is_image(part: Json) -> bool:
    return isinstance(part, dict) and part.get("type") in ("image_url", "image")


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _whole(value: Json) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
