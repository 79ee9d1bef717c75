from iflow_cli_proxy.protocols.gemini.schema import json_schema


def test_types_in_capitals_become_small_at_every_depth() -> None:
    google = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "enum": ["A"], "description": "D"},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1", "max_items": 3},
            "any": {"anyOf": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]},
        },
        "required": ["type"],
        "propertyOrdering": ["type", "list"],
    }

    assert json_schema(google) == {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["A"], "description": "D"},
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
            "any": {"anyOf": [{"type": "number"}, {"type": "boolean"}]},
        },
        "required": ["type"],
    }


def test_what_may_be_null_says_so_in_its_type_and_its_values() -> None:
    assert json_schema({"type": "STRING", "nullable": True, "enum": ["a"]}) == {
        "type": ["string", "null"],
        "enum": ["a", None],
    }


def test_a_type_that_is_none_is_left_out() -> None:
    assert json_schema({"type": "TYPE_UNSPECIFIED", "description": "d"}) == {"description": "d"}


def test_a_json_schema_stays_what_it_is() -> None:
    schema = {
        "type": ["object", "null"],
        "properties": {"nullable": {"type": "string"}, "example": {"$ref": "#/$defs/a"}},
        "additionalProperties": False,
        "$defs": {"a": {"type": "string"}},
    }

    assert json_schema(schema) == schema


def test_nonsense_is_left_to_whoever_knows_better() -> None:
    assert json_schema({"type": 3, "properties": [1], "minItems": "many", "items": True, "anyOf": {}}) == {
        "type": 3, "properties": [1], "minItems": "many", "items": True, "anyOf": {},
    }  # fmt: skip
