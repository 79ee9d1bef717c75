"""JSON schemas out of Google's: types in capitals, `nullable`, and numbers written as text.

Source: Gemini API reference, "Schema" (a part of OpenAPI 3.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core.jsonx import Json

_MAPS: Final = frozenset({"properties", "$defs", "defs"})
_LISTS: Final = frozenset({"anyOf", "any_of", "prefixItems", "prefix_items"})
_SINGLE: Final = frozenset({"items", "additionalProperties", "additional_properties"})
_COUNTS: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_NOT_JSON_SCHEMA: Final = frozenset({"propertyOrdering", "example", "nullable"})
_SPELLINGS: Final = {
    "any_of": "anyOf", "prefix_items": "prefixItems", "additional_properties": "additionalProperties",
    "min_items": "minItems", "max_items": "maxItems", "min_length": "minLength", "max_length": "maxLength",
    "min_properties": "minProperties", "max_properties": "maxProperties", "property_ordering": "propertyOrdering",
    "defs": "$defs",
}  # fmt: skip


def json_schema(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The same in JSON schema's words; what is that already stays as it is."""
    out: dict[str, Json] = {}
    for name, value in schema.items():
        plain = _SPELLINGS.get(name, name)
        if plain not in _NOT_JSON_SCHEMA:
            out[plain] = _value(plain, value)
    if schema.get("nullable") is True:
        _allow_null(out)
    if out.get("type") == "type_unspecified":
        del out["type"]
    return out


def _value(name: str, value: Json) -> Json:
    if name == "type":
        return value.lower() if isinstance(value, str) else value
    if name in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if name in _SINGLE and isinstance(value, dict):
        return json_schema(value)
    if name in _MAPS and isinstance(value, dict):
        return {key: json_schema(inner) if isinstance(inner, dict) else inner for key, inner in value.items()}
    if name in _LISTS and isinstance(value, list):
        return [json_schema(inner) if isinstance(inner, dict) else inner for inner in value]
    return value


def _allow_null(schema: dict[str, Json]) -> None:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
