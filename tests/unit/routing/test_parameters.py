"""Defaults, overrides and removals."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.routing.parameters import ParameterRule, apply_rules


def test_defaults_fill_gaps_overrides_win_and_removals_remove() -> None:
    rule = ParameterRule(
        pattern="GLM-*", default={"top_p": 0.9, "seed": 1}, override={"temperature": 1}, remove=["logprobs"]
    )
    fields = {"messages": [], "top_p": 0.5, "temperature": 0.2, "logprobs": True}
    assert apply_rules(fields, "glm-5", [rule]) == {"messages": [], "top_p": 0.5, "seed": 1, "temperature": 1}


def test_a_model_no_rule_names_keeps_the_very_same_fields() -> None:
    fields = {"messages": []}
    assert apply_rules(fields, "kimi-k2", [ParameterRule(pattern="glm-*", override={"n": 1})]) is fields


def test_rules_apply_in_order() -> None:
    rules = [ParameterRule(pattern="*", override={"n": 1}), ParameterRule(pattern="glm-5", override={"n": 2})]
    assert apply_rules({}, "glm-5", rules) == {"n": 2}


SPELLINGS = ("max_tokens", "max_completion_tokens", "max_new_tokens")


@pytest.mark.parametrize("asked", SPELLINGS)
@pytest.mark.parametrize("ruled", SPELLINGS)
def test_the_limit_on_output_is_one_parameter_however_it_is_spelled(asked: str, ruled: str) -> None:
    fields = {asked: 5, "seed": 1}
    assert apply_rules(fields, "m", [ParameterRule(pattern="*", default={ruled: 9})]) == fields
    assert apply_rules(fields, "m", [ParameterRule(pattern="*", override={ruled: 9})]) == {ruled: 9, "seed": 1}
    assert apply_rules(fields, "m", [ParameterRule(pattern="*", remove=[ruled])]) == {"seed": 1}
    both = ParameterRule(pattern="*", default={asked: 1}, override={ruled: 9})
    assert apply_rules({}, "m", [both]) == {ruled: 9}


@pytest.mark.parametrize("null", [None, jsonx.Raw(b"null")])
def test_null_counts_as_not_given(null: Any) -> None:
    rule = ParameterRule(pattern="*", default={"top_p": 0.9, "max_tokens": 9})
    assert apply_rules({"top_p": null, "max_tokens": null}, "m", [rule]) == {"top_p": 0.9, "max_tokens": 9}
    assert apply_rules({"max_new_tokens": null}, "m", [rule])["max_tokens"] == 9


def test_a_default_fills_what_was_removed() -> None:
    rule = ParameterRule(pattern="*", default={"seed": 1}, remove=["seed"])
    assert apply_rules({"seed": 2}, "m", [rule]) == {"seed": 1}


@pytest.mark.parametrize("name", ["model", "messages", "stream"])
@pytest.mark.parametrize("action", ["default", "override", "remove"])
def test_what_a_request_is_about_is_no_parameter(action: str, name: str) -> None:
    value: Any = [name] if action == "remove" else {name: "x"}
    with pytest.raises(ConfigError) as caught:
        ParameterRule(pattern="glm-*", **{action: value})
    assert caught.value.param == f'models.parameters."glm-*".{action}'
    assert f"`{name}`" in caught.value.message
