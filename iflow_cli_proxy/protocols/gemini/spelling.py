"""One spelling for all requests: Google reads `system_instruction` like `systemInstruction`, and one thing like a list.

Only names of the protocol itself are touched; arguments, results and schemas belong to the client. Refuses to know
what anything means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core.jsonx import Json

_Shape: TypeAlias = Mapping[str, Any]
"""Name of a field to the shape of what it holds: a mapping, or a list with one for each of its items."""

_NOTHING_INSIDE: Final[_Shape] = {}
_RESPONSE_PART: Final[_Shape] = {"inlineData": _NOTHING_INSIDE, "fileData": _NOTHING_INSIDE}
_PART: Final[_Shape] = {
    **_RESPONSE_PART,
    "functionCall": _NOTHING_INSIDE,
    "functionResponse": {"parts": [_RESPONSE_PART]},
}
_CONTENT: Final[_Shape] = {"parts": [_PART]}
_REQUEST: Final[_Shape] = {
    "contents": [_CONTENT],
    "systemInstruction": _CONTENT,
    "tools": [{"functionDeclarations": [_NOTHING_INSIDE]}],
    "toolConfig": {"functionCallingConfig": _NOTHING_INSIDE},
    "generationConfig": {"thinkingConfig": _NOTHING_INSIDE},
}
_AFTER_UNDERSCORE: Final = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def respelled(body: Mapping[str, Json]) -> dict[str, Json]:
    """A request with Google's own names, and lists where lists are meant."""
    body = _respelled(body, _REQUEST)
    system = body.get("systemInstruction")
    if isinstance(system, str):
        body["systemInstruction"] = {"parts": [{"text": system}]}
    contents = body.get("contents")
    if isinstance(contents, list):
        body["contents"] = [_spelled_out(content) for content in contents]
    return body


def _spelled_out(content: Json) -> Json:
    """A text alone is a user's content."""
    return {"role": "user", "parts": [{"text": content}]} if isinstance(content, str) else content


def _respelled(values: Mapping[str, Json], shape: _Shape) -> dict[str, Json]:
    out = {}
    for name, value in values.items():
        if "_" in name:
            name = _AFTER_UNDERSCORE.sub(lambda found: found[1].upper(), name)
        inner = shape.get(name)
        out[name] = value if inner is None else _inside(value, inner)
    return out


def _inside(value: Json, shape: Any) -> Json:
    if isinstance(shape, list):
        items = [value] if isinstance(value, dict | str) else value
        return [_inside(item, shape[0]) for item in items] if isinstance(items, list) else items
    if isinstance(value, dict):
        return _respelled(value, shape)
    return value
