"""Defaults, overrides and removals."""

from __future__ import annotations

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
