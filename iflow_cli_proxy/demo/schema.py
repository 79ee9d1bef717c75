"""Plausible values for a JSON schema: what a model would put into a tool's arguments.

Knows the common part of JSON Schema. Deterministic: the same schema and words give the same value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json

_DEEPEST: Final = 8
_FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}
_BY_NAME: Final = (
    (re.compile(r"city|location|place|town|destination", re.I), "Paris"),
    (re.compile(r"country", re.I), "France"),
    (re.compile(r"path|file", re.I), "README.md"),
    (re.compile(r"dir|folder|cwd", re.I), "."),
    (re.compile(r"url|link", re.I), "https://example.com/"),
    (re.compile(r"command|cmd|shell", re.I), "echo demo"),
    (re.compile(r"lang", re.I), "en"),
    (re.compile(r"unit", re.I), "celsius"),
    (re.compile(r"date|day", re.I), "2026-01-02"),
    (re.compile(r"name|title", re.I), "Demo"),
)
_PROPER_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")
_PLACES: Final = re.compile(r"city|location|place|town|destination", re.I)


def example(schema: Json, *, words: str = "", name: str = "", nth: int = 0) -> Json:
    """A value that satisfies `schema`; `words` is the prompt it may borrow from, `nth` picks among equals."""
    return _Maker(schema, words, nth).value(schema, name, _DEEPEST)


class _Maker:
    def __init__(self, root: Json, words: str, nth: int) -> None:
        self._root = root
        self._words = words
        self._nth = nth

    def value(self, schema: Json, name: str, depth: int) -> Json:
        schema = self._resolved(schema)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        choices = schema.get("enum") or schema.get("examples")
        if isinstance(choices, list) and choices:
            return choices[self._nth % len(choices)]
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return int(_number(schema, whole=True))
            case "number":
                return _number(schema, whole=False)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._text(schema, name)

    def _resolved(self, schema: Json) -> Mapping[str, Any]:
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if isinstance(reference, str):
                schema = self._follow(reference)
                continue
            options = schema.get("anyOf") or schema.get("oneOf")
            if isinstance(options, list) and options:
                schema = next((one for one in options if isinstance(one, dict) and one.get("type") != "null"), {})
                continue
            parts = schema.get("allOf")
            if isinstance(parts, list) and parts:
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                schema = {**parts[0], **rest} if isinstance(parts[0], dict) else rest
                continue
            return schema
        return {}

    def _follow(self, reference: str) -> Json:
        value: Json = self._root
        for step in filter(None, reference.removeprefix("#").split("/")):
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Json]:
        properties = schema.get("properties")
        if depth <= 0 or not isinstance(properties, dict):
            return {}
        required = schema.get("required")
        names = [name for name in required if name in properties] if isinstance(required, list) else []
        return {name: self.value(properties[name], name, depth - 1) for name in names or properties}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Json]:
        least = schema.get("minItems")
        count = min(max(1, least), 20) if isinstance(least, int) else 1
        return [] if depth <= 0 else [self.value(schema.get("items"), name, depth - 1) for _ in range(count)]

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        known = _FORMATS.get(str(schema.get("format")))
        text = known or self._named(name) or self._words.strip()[:80] or "demo"
        least, most = schema.get("minLength"), schema.get("maxLength")
        if isinstance(least, int):
            text = text.ljust(min(least, 1000), "x")
        return text[:most] if isinstance(most, int) and most >= 0 else text

    def _named(self, name: str) -> str:
        if _PLACES.search(name):
            found: list[str] = list(dict.fromkeys(_PROPER_NAME.findall(self._words)))
            if found:
                return found[self._nth % len(found)]
        return next((text for pattern, text in _BY_NAME if pattern.search(name)), "")


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _number(schema: Mapping[str, Any], *, whole: bool) -> float:
    for key, step in (("minimum", 0), ("exclusiveMinimum", 1)):
        low = schema.get(key)
        if isinstance(low, int | float) and not isinstance(low, bool):
            return low + step if whole else low + step / 2
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return min(1, high - 1) if isinstance(high, int | float) and not isinstance(high, bool) else 1
