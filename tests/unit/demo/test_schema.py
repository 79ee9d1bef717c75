from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.demo.schema import example


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"city": {"type": "string"}}}, {"city": "Paris"}),
        (
            {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]},
            {"a": 1},
        ),
        ({"type": "string", "enum": ["x", "y"]}, "x"),
        ({"const": 7}, 7),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "format": "date"}, "2026-01-02"),
        ({"type": "string", "minLength": 8, "maxLength": 8}, "wordsxxx"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "exclusiveMinimum": 0}, 0.5),
        ({"type": "integer", "maximum": -3}, -4),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"allOf": [{"type": "integer"}], "minimum": 3}, 3),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer", "minimum": 9}}}, 9),
        ({"properties": {"x": {"items": {"type": "integer"}}}}, {"x": [1]}),
        ({}, "words"),
        (None, "words"),
        ({"$ref": "#/nowhere"}, "words"),
    ],
)
def test_a_value_satisfies_its_schema(schema: Any, value: Any) -> None:
    assert example(schema, words="words") == value


def test_a_schema_that_contains_itself_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert example(node)["next"]["next"]
    loop = {"$ref": "#/a", "a": {"$ref": "#/a"}}
    assert example(loop, words="w") == "w"


def test_places_are_taken_from_the_prompt_one_after_another() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    words = "What is the weather in Berlin and in Oslo?"
    assert [example(schema, words=words, nth=nth)["city"] for nth in range(3)] == ["Berlin", "Oslo", "Berlin"]
