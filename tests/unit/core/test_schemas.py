from __future__ import annotations

from iflow_cli_proxy.core.schemas import cleaned

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "properties": {
        "format": {"type": "string", "format": "date-time", "description": "When."},
        "many": {"type": "array", "items": {"type": "object", "additionalProperties": False}, "minItems": 1},
        "one": {"enum": ["format", "minItems"], "default": {"format": 1}},
    },
    "required": ["format"],
}


def test_a_schema_without_anything_refused_is_itself() -> None:
    assert cleaned(SCHEMA, ["pattern"]) is SCHEMA


def test_keywords_go_wherever_they_stand_and_names_and_values_stay() -> None:
    found = cleaned(SCHEMA, ["additionalProperties", "$schema", "format", "minItems"])

    assert found == {
        "type": "object",
        "properties": {
            "format": {"type": "string", "description": 'When. (format: "date-time")'},
            "many": {"type": "array", "items": {"type": "object"}, "description": "(minItems: 1)"},
            "one": {"enum": ["format", "minItems"], "default": {"format": 1}},
        },
        "required": ["format"],
    }
    assert "$schema" in SCHEMA, "the client's own is not touched"
