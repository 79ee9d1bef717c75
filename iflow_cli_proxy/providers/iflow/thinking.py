"""Whether a model thinks, and which fields tell it so.

Knows the client's ways of asking (effort, budget, a suffix of the model's name, the vendor's own fields) and one table
of rules by model. Refuses to know the rest of the body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeGuard

from iflow_cli_proxy.core.jsonx import Json

Level: TypeAlias = Literal["off", "low", "medium", "high"]
Default: TypeAlias = Literal["auto", "on", "off"]
"""The person's setting; `auto`: the models of `_THINKS_BY_HABIT` do, the others are not told anything."""

WISH_FIELDS: Final = ("reasoning_effort",)
"""Ways of asking that iFlow does not know: translated, and never sent on."""
VENDOR_FIELDS: Final = (
    "thinking_mode", "reasoning", "chat_template_kwargs", "enable_thinking", "thinking", "reasoning_split",
)  # fmt: skip
"""iFlow's own: a client that sends one means it, so it is passed on untouched and no rule applies."""

_LEVELS: Final[Mapping[str, Level]] = {
    "none": "off", "off": "off", "disabled": "off",
    "minimal": "low", "low": "low",
    "medium": "medium", "auto": "medium", "on": "medium", "enabled": "medium",
    "high": "high", "xhigh": "high", "max": "high",
}  # fmt: skip
_LOW_BUDGET: Final = 5_000
_HIGH_BUDGET: Final = 15_000
_SUFFIX: Final = re.compile(r"^(?P<model>.+)\((?P<value>[a-zA-Z]{2,8}|-?\d{1,7})\)$")
_PREFIXES: Final = ("iflow/", "iflow2api/")
_THINKS_BY_HABIT: Final = re.compile(r"glm-5|glm-4\.7|thinking", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ThinkingRule:
    """Fields for models whose name matches; `low` and `high` replace `on` at these levels."""

    pattern: re.Pattern[str]
    on: Mapping[str, Any]
    off: Mapping[str, Any]
    low: Mapping[str, Any] | None = None
    high: Mapping[str, Any] | None = None

    def fields(self, level: Level) -> Mapping[str, Any]:
        if level == "off":
            return self.off
        if level == "low" and self.low is not None:
            return self.low
        return self.high if level == "high" and self.high is not None else self.on


def _rule(
    pattern: str,
    on: Mapping[str, Any],
    off: Mapping[str, Any] | None = None,
    *,
    low: Mapping[str, Any] | None = None,
    high: Mapping[str, Any] | None = None,
) -> ThinkingRule:
    return ThinkingRule(pattern=re.compile(pattern, re.IGNORECASE), on=on, off=off or {}, low=low, high=high)


def _budget(tokens: int, level: str) -> dict[str, Any]:
    return {"thinking": {"enabled": True, "max_tokens": tokens, "reasoning_level": level}}


_TEMPLATE_ON: Final = {"chat_template_kwargs": {"enable_thinking": True}}
_TEMPLATE_OFF: Final = {"chat_template_kwargs": {"enable_thinking": False}}
_TYPE_ON: Final = {"thinking": {"type": "enabled"}}
_TYPE_OFF: Final = {"thinking": {"type": "disabled"}}
_MODE: Final = {"thinking_mode": True}
_REASONING: Final = {"reasoning": True}

RULES: Final = (
    _rule(r"^o1-(preview|mini)", _REASONING, low={}),
    # The client never switches these two off; without it a wish for no thinking would be lost (source: CLIProxyAPI).
    _rule(r"^deepseek-v3\.[12]$", {**_MODE, **_REASONING}, _TEMPLATE_OFF, low=_MODE),
    _rule(r"deepseek", {**_MODE, **_REASONING}, low=_MODE),
    _rule(r"glm-4\.7", _TEMPLATE_ON, _TEMPLATE_OFF),
    _rule(r"glm-5", {**_TEMPLATE_ON, "enable_thinking": True, **_TYPE_ON},
          {**_TEMPLATE_OFF, "enable_thinking": False, **_TYPE_OFF}),
    _rule(r"^glm-4\.6(-exp)?$", _TEMPLATE_ON, _TEMPLATE_OFF),  # off: CLIProxyAPI
    _rule(r"glm-", _TEMPLATE_ON),
    _rule(r"^claude-3\.5-sonnet", _budget(10_000, "medium"), low=_budget(4_000, "low"), high=_budget(25_000, "high")),
    _rule(r"claude|haiku|sonnet|opus", _TEMPLATE_ON),
    _rule(r"reasoning", _REASONING),
    _rule(r"^kimi-k2\.5", _TYPE_ON, _TYPE_OFF),
    _rule(r"thinking", _MODE),
    _rule(r"qwen.*4b", {}),
    _rule(r"mimo-", _TYPE_ON),
    _rule(r"minimax", {"reasoning_split": True}, {"reasoning_split": False}),  # CLIProxyAPI; the client sends nothing
)  # fmt: skip
"""The first rule that matches holds. Order and patterns are those of the client 0.5.19 unless a line says otherwise."""


def split_name(model: str) -> tuple[str, Level | None]:
    """`glm-4.7(high)` as name and wish; prefixes such as `iflow/` are taken off."""
    for prefix in _PREFIXES:
        model = model.removeprefix(prefix)
    match = _SUFFIX.match(model)
    level = _level(match["value"].lower()) if match else None
    return (match["model"], level) if match and level else (model, None)


def wish_in(fields: Mapping[str, Json]) -> Level | None:
    """What the client asked for in words that iFlow does not know. `fields` are decoded."""
    thinking = fields.get("thinking")
    if is_wish(thinking, "thinking"):
        return _from_object(thinking)
    reasoning = fields.get("reasoning")
    if is_wish(reasoning, "reasoning"):
        return _from_object(reasoning)
    effort = fields.get("reasoning_effort")
    return _LEVELS.get(effort.lower()) if isinstance(effort, str) else None


def is_wish(value: Json, name: str) -> TypeGuard[dict[str, Json]]:
    """Whether a field of the vendor's name is in fact Anthropic's `thinking` or OpenRouter's `reasoning`."""
    if not isinstance(value, dict):
        return False
    return name == "reasoning" or (name == "thinking" and ("budget_tokens" in value or value.get("type") == "adaptive"))


def level_for(model: str, wish: Level | None, default: Default) -> Level | None:
    """The level to apply; None: leave it to the model."""
    if wish is not None:
        return wish
    if default == "auto":
        return "medium" if _THINKS_BY_HABIT.search(model) else None
    return "off" if default == "off" else "medium"


def rule_for(model: str) -> ThinkingRule | None:
    return next((rule for rule in RULES if rule.pattern.search(model)), None)


def _from_object(value: Mapping[str, Json]) -> Level | None:
    kind, effort = value.get("type"), value.get("effort")
    if kind == "disabled" or value.get("enabled") is False:
        return "off"
    if isinstance(effort, str):
        return _LEVELS.get(effort.lower())
    budget = value.get("budget_tokens", value.get("max_tokens"))
    return _level(str(budget)) if isinstance(budget, int) and not isinstance(budget, bool) else "medium"


def _level(value: str) -> Level | None:
    """A word, or a budget in tokens (-1: as much as the model likes)."""
    if not value.lstrip("-").isdigit():
        return _LEVELS.get(value)
    tokens = int(value)
    if tokens < 0:
        return "medium"
    if tokens == 0:
        return "off"
    if tokens < _LOW_BUDGET:
        return "low"
    return "medium" if tokens < _HIGH_BUDGET else "high"
