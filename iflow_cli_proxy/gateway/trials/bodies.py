"""What a probe asks: requests as small as they can be and still tell something. Values only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

FEW: Final = 16
"""Tokens for an answer that nobody reads; some upstreams refuse less."""
SOME: Final = 64
MANY: Final = 512
"""Room for a model that thinks before it does what it is asked."""

PIXEL: Final = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP4z8BAEmIY1TCqYfhqAACQ+f8B8u7oVwAAAABJRU5ErkJggg=="
)
"""Sixteen red pixels each way: some upstreams refuse smaller ones."""
LONG_NAME: Final = "get_weather_" + "x" * 116
"""128 characters."""
SCHEMA_WORDS: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "additionalProperties": False,
    "anyOf": [{"type": "string"}, {"type": "integer"}],
    "oneOf": [{"type": "string"}, {"type": "integer"}],
    "allOf": [{"type": "string"}],
    "const": "a",
    "default": "a",
    "examples": ["a"],
    "format": "uri",
    "pattern": "^a+$",
    "minLength": 1,
    "maxLength": 9,
    "exclusiveMinimum": 0,
    "multipleOf": 2,
    "minItems": 1,
    "uniqueItems": True,
    "propertyNames": {"type": "string"},
}
"""Keywords that coding agents use and some upstreams refuse, each with a value that fits anywhere."""
_AT_THE_ROOT: Final = ("$schema", "additionalProperties", "propertyNames")

ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"capital": {"type": "string"}},
    "required": ["capital"],
    "additionalProperties": False,
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def tool(name: str = "get_weather", parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    usual = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": name, "description": "Weather of a city.", "parameters": parameters or usual}
    return {"type": "function", "function": function}


def tool_with(words: Iterable[str]) -> dict[str, Any]:
    """A tool whose parameters use these keywords, each where it belongs."""
    wanted = list(words)
    root = {word: SCHEMA_WORDS[word] for word in wanted if word in _AT_THE_ROOT}
    inner = {f"field_{at}": _typed(word) for at, word in enumerate(wanted) if word not in _AT_THE_ROOT}
    return tool(parameters={"type": "object", "properties": {"city": {"type": "string"}, **inner}, **root})


def halves(words: Collection[str]) -> tuple[list[str], list[str]]:
    listed = list(words)
    return listed[: len(listed) // 2], listed[len(listed) // 2 :]


def picture(content: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": PIXEL}}]


def tool_turn(result: Any, *, thinking: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A conversation in which a tool was called and has answered; `thinking` is what led to the call."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    return [
        user("What is the weather in Oslo?"),
        {"role": "assistant", "content": "", **(thinking or {}), "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


def _typed(word: str) -> dict[str, Any]:
    """A schema in which a keyword makes sense."""
    value = SCHEMA_WORDS[word]
    if word in ("anyOf", "oneOf", "allOf"):
        return {word: value}
    if word in ("exclusiveMinimum", "multipleOf"):
        return {"type": "integer", word: value}
    if word in ("minItems", "uniqueItems"):
        return {"type": "array", "items": {"type": "string"}, word: value}
    return {"type": "string", word: value}
