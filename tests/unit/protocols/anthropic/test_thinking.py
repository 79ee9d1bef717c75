from typing import Any

import pytest

from iflow_cli_proxy.core.request import ChatRequest, Thinking
from iflow_cli_proxy.protocols.anthropic.thinking import (
    decode_format,
    decode_thinking,
    encode_answer_form,
    encode_thinking,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
OPENAI = {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("wire", "thinking"),
    [
        ({}, Thinking()),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Thinking(is_on=True, budget=2048)),
        ({"thinking": {"type": "adaptive"}}, Thinking(is_on=True)),
        ({"thinking": {"type": "disabled"}}, Thinking(is_on=False)),
        ({"output_config": {"effort": "high"}}, Thinking(effort="high")),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            Thinking(is_on=True, effort="max"),
        ),
    ],
)
def test_thinking_goes_both_ways(wire: dict[str, Any], thinking: Thinking) -> None:
    assert decode_thinking(wire) == thinking
    assert encode_thinking(thinking, None) == wire


@pytest.mark.parametrize(
    ("wire", "thinking"),
    [
        ({"thinking": {"type": "between_tools"}}, Thinking(is_on=True)),
        ({"thinking": {"type": "enabled"}}, Thinking(is_on=True)),
        ({"thinking": {"type": "disabled", "budget_tokens": 9}}, Thinking(is_on=False)),
        ({"thinking": None, "output_config": None}, Thinking()),
    ],
)
def test_any_type_but_disabled_is_on(wire: dict[str, Any], thinking: Thinking) -> None:
    assert decode_thinking(wire) == thinking


def test_words_of_others_find_a_neighbour() -> None:
    assert encode_thinking(Thinking(is_on=True, effort="minimal"), None)["output_config"] == {"effort": "low"}
    assert encode_thinking(Thinking(is_on=False, effort="none"), None) == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize("wire", [{"output_config": {"format": FORMAT}}, {"output_format": FORMAT}])
def test_a_schema_is_read_from_both_fields(wire: dict[str, Any]) -> None:
    assert decode_format(wire) == OPENAI


def test_a_schema_is_written_to_the_newer_field_unless_the_older_has_it() -> None:
    request = ChatRequest(model="m", messages=(), response_format=OPENAI)

    assert encode_answer_form(request, {}) == {"output_config": {"format": FORMAT}}
    assert encode_answer_form(request, {"output_format": FORMAT}) == {}


def test_forms_without_a_schema_have_no_word() -> None:
    assert decode_format({"output_format": {"type": "grammar"}}) is None
    assert encode_thinking(Thinking(), {"type": "json_object"}) == {}
