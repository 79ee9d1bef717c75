from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.providers.iflow.thinking import is_wish, level_for, rule_for, split_name, wish_in

ON: Any = {"chat_template_kwargs": {"enable_thinking": True}}
OFF: Any = {"chat_template_kwargs": {"enable_thinking": False}}
BOTH: Any = {"thinking_mode": True, "reasoning": True}

TABLE = [
    # model, on, off
    ("glm-5", {**ON, "enable_thinking": True, "thinking": {"type": "enabled"}},
     {**OFF, "enable_thinking": False, "thinking": {"type": "disabled"}}),
    ("glm-4.7", ON, OFF),
    ("glm-4.6", ON, OFF),
    ("glm-4.6-exp", ON, OFF),
    ("glm-4.5v", ON, {}),
    ("glm-4.6v", ON, {}),
    ("deepseek-v3.2-chat", BOTH, {}),
    ("deepseek-v3.2-reasoner", BOTH, {}),
    ("deepseek-v3.2", BOTH, OFF),
    ("deepseek-v3.1", BOTH, OFF),
    ("deepseek-v3", BOTH, {}),
    ("deepseek-r1", BOTH, {}),
    ("kimi-k2.5", {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
    ("kimi-k2-thinking", {"thinking_mode": True}, {}),
    ("qwen3-235b-a22b-thinking-2507", {"thinking_mode": True}, {}),
    ("QWen3-4B", {}, {}),
    ("mimo-v2", {"thinking": {"type": "enabled"}}, {}),
    ("minimax-m2.5", {"reasoning_split": True}, {"reasoning_split": False}),
    ("o1-mini", {"reasoning": True}, {}),
    ("some-reasoning-model", {"reasoning": True}, {}),
    ("claude-sonnet-4", ON, {}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "on", "off"), TABLE)
def test_a_model_is_told_to_think_in_its_own_words(model: str, on: Any, off: Any) -> None:
    rule = rule_for(model)
    assert rule is not None
    assert dict(rule.fields("medium")) == on
    assert dict(rule.fields("off")) == off


@pytest.mark.parametrize("model", ["kimi-k2", "kimi-k2-0905", "qwen3-coder-plus", "iFlow-ROME-30BA3B", "tstars2.0"])
def test_some_models_are_told_nothing(model: str) -> None:
    assert rule_for(model) is None


def test_low_effort_leaves_deepseek_without_reasoning() -> None:
    rule = rule_for("deepseek-v3")
    assert rule is not None
    assert dict(rule.fields("low")) == {"thinking_mode": True}


def test_old_sonnet_gets_a_budget_by_level() -> None:
    rule = rule_for("claude-3.5-sonnet")
    assert rule is not None
    budgets = [rule.fields(level)["thinking"]["max_tokens"] for level in ("low", "medium", "high")]
    assert budgets == [4000, 10000, 25000]


@pytest.mark.parametrize(
    ("name", "model", "wish"),
    [
        ("glm-4.7", "glm-4.7", None),
        ("glm-4.7(high)", "glm-4.7", "high"),
        ("glm-4.7(none)", "glm-4.7", "off"),
        ("glm-4.7(-1)", "glm-4.7", "medium"),
        ("glm-4.7(0)", "glm-4.7", "off"),
        ("glm-4.7(2000)", "glm-4.7", "low"),
        ("glm-4.7(20000)", "glm-4.7", "high"),
        ("glm-4.7(xhigh)", "glm-4.7", "high"),
        ("glm-4.7(auto)", "glm-4.7", "medium"),
        ("model(beta)", "model(beta)", None),
        ("iflow/glm-5", "glm-5", None),
        ("iflow2api/glm-5(low)", "glm-5", "low"),
        ("(high)", "(high)", None),
    ],
)
def test_a_suffix_is_a_wish_and_not_part_of_the_name(name: str, model: str, wish: str | None) -> None:
    assert split_name(name) == (model, wish)


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, None),
        ({"reasoning_effort": "high"}, "high"),
        ({"reasoning_effort": "none"}, "off"),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "sideways"}, None),
        ({"reasoning_effort": 3}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "high"),
        ({"thinking": {"type": "disabled", "budget_tokens": 0}}, "off"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "enabled"}}, None),
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"reasoning": {"max_tokens": 8000}}, "medium"),
        ({"reasoning": {"enabled": False}}, "off"),
        ({"reasoning": True}, None),
    ],
)
def test_every_way_of_asking_is_understood(fields: Any, wish: str | None) -> None:
    assert wish_in(fields) == wish


def test_the_vendors_own_form_is_no_wish() -> None:
    assert not is_wish({"type": "enabled"}, "thinking")
    assert not is_wish(True, "reasoning")
    assert is_wish({"type": "enabled", "budget_tokens": 1}, "thinking")


@pytest.mark.parametrize(
    ("model", "default", "level"),
    [
        ("glm-5", "auto", "medium"),
        ("glm-4.7", "auto", "medium"),
        ("kimi-k2-thinking", "auto", "medium"),
        ("glm-4.6", "auto", None),
        ("deepseek-v3.2-chat", "auto", None),
        ("deepseek-v3.2-chat", "on", "medium"),
        ("glm-5", "off", "off"),
    ],
)
def test_without_a_wish_the_setting_decides(model: str, default: Any, level: str | None) -> None:
    assert level_for(model, None, default) == level
    assert level_for(model, "low", default) == "low"
