from __future__ import annotations

from typing import Any, Final

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.openapi.schemas import FAMILIES, REFERENCE, Family, all_schemas, laid_over, spelled_out
from tests.support.described import faults

SCHEMAS: Final = all_schemas([])


def test_what_a_type_checks_its_schema_says() -> None:
    request: Any = SCHEMAS["OpenAIChatRequest"]

    assert request["required"] == ["model", "messages"]
    assert request["properties"]["n"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 128}
    assert request["properties"]["messages"]["maxItems"] == 20_000


def test_every_family_has_names_of_its_own() -> None:
    prefixes = [family.prefix for family in FAMILIES]
    assert len(set(prefixes)) == len(prefixes)
    assert {f"{prefix}Request" for prefix in prefixes} - set(SCHEMAS) == {"OllamaRequest"}  # two forms, two names


def test_nothing_says_that_a_field_may_be_left_out_by_being_null() -> None:
    assert "default" not in str(SCHEMAS["OpenAIChatRequest"])


def test_what_stands_in_a_data_file_is_laid_over_the_type() -> None:
    over = {
        "OpenAIChatRequest": {"properties": {"model": {"description": "Which."}}},
        "Own": {"$ref": "OpenAIChatRequest"},
    }
    found: Any = all_schemas([over])

    assert found["OpenAIChatRequest"]["properties"]["model"]["description"] == "Which."
    assert found["OpenAIChatRequest"]["properties"]["model"]["maxLength"] == 256
    assert found["Own"] == {"$ref": f"{REFERENCE}OpenAIChatRequest"}


def test_alternatives_take_the_place_of_a_type() -> None:
    assert laid_over({"type": "string", "description": "x"}, {"anyOf": [{}]}) == {"description": "x", "anyOf": [{}]}


def test_a_reference_is_spelled_out_once() -> None:
    whole = {"$ref": f"{REFERENCE}A"}
    assert spelled_out({"items": [{"$ref": "A"}]}) == {"items": [whole]}
    assert spelled_out(whole) == whole


@pytest.mark.parametrize(
    ("item", "is_good"),
    [
        ({"type": "function_call_output", "call_id": "c", "output": "done"}, True),
        ({"type": "function_call_output", "output": "done"}, False),
        ({"role": "user", "content": "a message may come without its type"}, True),
        ({"type": "computer_call", "anything": 1}, True),
        ({"call_id": "c", "output": "no type"}, False),
    ],
)
def test_members_of_a_union_are_told_apart_by_type(item: Json, is_good: bool) -> None:
    assert (not faults({"$ref": f"{REFERENCE}OpenAIResponsesInputItem"}, item)) is is_good


@pytest.mark.parametrize(
    ("model", "is_good"),
    [
        ("glm-5", True),
        ("a/b:free", True),
        ("modèle-日本", True),
        ("", False),
        ("../x", False),
        ("{x}", False),
        ("x" * 257, False),
    ],
)
def test_a_pattern_of_ours_means_the_same_in_json_schema(model: str, is_good: bool) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    assert (not faults({"$ref": f"{REFERENCE}OpenAIChatRequest"}, body)) is is_good


def test_a_family_needs_no_unions() -> None:
    assert Family("X", ()).unions == {}
