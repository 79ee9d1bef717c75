from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.fields import asked_limit, decoded, decoded_fields, stream_fields, tool_fields

NAMES = ("max_tokens", "max_completion_tokens")


def test_a_field_is_the_same_value_whichever_way_it_came() -> None:
    assert decoded(jsonx.Raw(b'{"a":[1]}')) == decoded({"a": [1]}) == {"a": [1]}
    assert decoded_fields({"a": jsonx.Raw(b"1"), "b": 2, "c": 3}, ("b", "a", "x")) == {"b": 2, "a": 1}


@pytest.mark.parametrize(
    ("options", "wants_usage", "sent"),
    [
        (None, True, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"x": 1}, True, {"stream": True, "stream_options": {"x": 1, "include_usage": True}}),
        ({"x": 1}, False, {"stream": True, "stream_options": {"x": 1}}),
        ("nonsense", False, {"stream": True}),
    ],
)
def test_a_stream_is_asked_for_with_the_clients_options(options: Any, wants_usage: bool, sent: dict[str, Any]) -> None:
    assert stream_fields(options, wants_usage=wants_usage) == sent


def test_tools_go_with_what_belongs_to_them_or_not_at_all() -> None:
    rest = {"tool_choice": "auto", "parallel_tool_calls": True}
    for empty in ([], None, jsonx.Raw(b"[ ]")):
        assert tool_fields({"tools": empty, **rest}) == {}
    for full in ([{"type": "function"}], jsonx.Raw(b'[{"type":"function"}]'), jsonx.Raw(b"[" + b" " * 40 + b"]")):
        assert tool_fields({"tools": full, "model": "m", **rest}) == {"tools": full, **rest}


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        ({}, None),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 10),
        ({"max_tokens": None, "max_completion_tokens": 20}, 20),
        ({"max_tokens": True, "max_completion_tokens": 0}, None),
        ({"max_tokens": 5000}, 100),
    ],
)
def test_the_first_limit_that_counts_something_holds_as_far_as_the_model_goes(
    asked: dict[str, Any], limit: int | None
) -> None:
    assert asked_limit(asked, NAMES, 100) == limit
