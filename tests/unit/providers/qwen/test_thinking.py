from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.providers.qwen.thinking import Default, split_name, thinking_fields

OFF = {"enable_thinking": False}
ON = {"enable_thinking": True}
LOW = {"enable_thinking": True, "thinking_budget": 1024}
MEDIUM = {"enable_thinking": True, "thinking_budget": 8192}


def fields(
    small: dict[str, Any], wish: Any = None, default: Default = "auto", *, is_switchable: bool = True
) -> dict[str, Any]:
    return thinking_fields(small, wish, default, is_switchable=is_switchable)


@pytest.mark.parametrize(
    ("small", "sent"),
    [
        ({}, {}),
        ({"reasoning_effort": "none"}, OFF),
        ({"reasoning_effort": "low"}, LOW),
        ({"reasoning_effort": "Medium"}, MEDIUM),
        ({"reasoning_effort": "high"}, ON),
        ({"reasoning_effort": "sideways"}, {}),
        ({"reasoning_effort": 5}, {}),
        ({"reasoning": {"effort": "low"}}, LOW),
        ({"reasoning": {"effort": "sideways"}, "reasoning_effort": "low"}, LOW),
        ({"reasoning": {"enabled": False}}, OFF),
        ({"reasoning": {"enabled": True}}, ON),
        ({"reasoning": {"max_tokens": 300}}, {"enable_thinking": True, "thinking_budget": 300}),
        ({"thinking": {"type": "disabled"}}, OFF),
        ({"thinking": {"type": "adaptive"}}, ON),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, {"enable_thinking": True, "thinking_budget": 4000}),
        ({"thinking": {"budget_tokens": 0}}, OFF),
        ({"thinking": {"budget_tokens": -1}}, ON),
        ({"thinking": {"budget_tokens": True}}, {}),
        ({"thinking": True}, {}),
    ],
)
def test_every_way_of_asking_becomes_the_vendors_two_fields(small: dict[str, Any], sent: dict[str, Any]) -> None:
    assert fields(small) == sent


def test_the_vendors_own_fields_pass_and_win_over_anything_but_none() -> None:
    assert fields({"enable_thinking": True, "thinking_budget": 5}) == {"enable_thinking": True, "thinking_budget": 5}
    assert fields({"thinking_budget": 5, "reasoning_effort": "low"}) == {"enable_thinking": True, "thinking_budget": 5}
    assert fields({"enable_thinking": True, "thinking_budget": 5, "reasoning_effort": "none"}) == OFF


def test_the_models_name_wins_over_the_fields() -> None:
    assert fields({"reasoning_effort": "low"}, wish=ON) == ON


def test_the_setting_holds_where_nobody_asked_and_the_model_has_the_choice() -> None:
    assert fields({}, default="on") == ON
    assert fields({}, default="off") == OFF
    assert fields({}, default="off", is_switchable=False) == {}
    assert fields({"reasoning_effort": "low"}, default="off") == LOW
    assert fields({"enable_thinking": True}, default="off") == ON


@pytest.mark.parametrize(
    ("asked", "model", "wish"),
    [
        ("coder-model", "coder-model", None),
        ("coder-model(none)", "coder-model", OFF),
        ("coder-model(HIGH)", "coder-model", ON),
        ("coder-model(2000)", "coder-model", {"enable_thinking": True, "thinking_budget": 2000}),
        ("coder-model(0)", "coder-model", OFF),
        ("coder-model(-1)", "coder-model", ON),
        ("coder-model(beta)", "coder-model(beta)", None),
        ("(high)", "(high)", None),
    ],
)
def test_a_suffix_of_the_name_is_a_wish(asked: str, model: str, wish: Any) -> None:
    assert split_name(asked) == (model, wish)
