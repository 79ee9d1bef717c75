"""How much a Qwen model thinks, and the two fields that tell it so.

Knows the client's ways of asking (effort, budget, a suffix of the model's name, the vendor's own fields). Refuses to
know the rest of the body. Only `enable_thinking` and `thinking_budget` go out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from iflow_cli_proxy.core.jsonx import Json

Default: TypeAlias = Literal["auto", "on", "off"]
"""The person's setting; `auto`: the model is not told anything."""

WISH_FIELDS: Final = ("reasoning_effort", "reasoning", "thinking")
"""Ways of asking that Qwen does not know: translated, and never sent on."""
VENDOR_FIELDS: Final = ("enable_thinking", "thinking_budget")

_OFF: Final[Mapping[str, Any]] = {"enable_thinking": False}
_ON: Final[Mapping[str, Any]] = {"enable_thinking": True}
_LOW: Final[Mapping[str, Any]] = {"enable_thinking": True, "thinking_budget": 1024}
_MEDIUM: Final[Mapping[str, Any]] = {"enable_thinking": True, "thinking_budget": 8192}
_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "none": _OFF, "off": _OFF, "disabled": _OFF,
    "minimal": _LOW, "low": _LOW,
    "medium": _MEDIUM, "auto": _ON, "on": _ON, "enabled": _ON, "adaptive": _ON,
    "high": _ON, "xhigh": _ON, "max": _ON,
}  # fmt: skip
"""By the word for an effort; a word that is not here says nothing."""
_SUFFIX: Final = re.compile(r"^(?P<model>.+)\((?P<value>[a-zA-Z]{2,8}|-?\d{1,7})\)$")


def split_name(model: str) -> tuple[str, Mapping[str, Any] | None]:
    """`coder-model(high)` as the name and the fields it asks for; None when it asks for nothing."""
    match = _SUFFIX.match(model)
    value = match["value"].lower() if match else ""
    fields = _by_budget(int(value)) if value.lstrip("-").isdigit() else _FIELDS.get(value)
    return (match["model"], fields) if match and fields is not None else (model, None)


def thinking_fields(
    small: Mapping[str, Json], wish: Mapping[str, Any] | None, default: Default, *, is_switchable: bool
) -> dict[str, Any]:
    """What to send. `small` holds decoded fields of the request, `wish` comes from the model's name and wins.

    A wish for no thinking overrides the vendor's own fields, any other is overridden by them.
    """
    own = {name: small[name] for name in VENDOR_FIELDS if small.get(name) is not None}
    asked = _asked(small) if wish is None else wish
    if asked is None:
        habit = {"on": _ON, "off": _OFF}.get(default, {}) if is_switchable and not own else {}
        return {**habit, **own}
    return dict(asked) if asked == _OFF else {**asked, **own}


def _asked(small: Mapping[str, Json]) -> Mapping[str, Any] | None:
    """The first thing the request says in words that Qwen does not know."""
    for name in ("thinking", "reasoning"):
        value = small.get(name)
        if isinstance(value, dict) and (fields := _from_object(value)) is not None:
            return fields
    effort = small.get("reasoning_effort")
    return _FIELDS.get(effort.lower()) if isinstance(effort, str) else None


def _from_object(value: Mapping[str, Json]) -> Mapping[str, Any] | None:
    """Anthropic's `thinking` or OpenRouter's `reasoning`."""
    if value.get("type") == "disabled" or value.get("enabled") is False:
        return _OFF
    effort = value.get("effort")
    if isinstance(effort, str):
        return _FIELDS.get(effort.lower())
    budget = value.get("budget_tokens", value.get("max_tokens"))
    if isinstance(budget, int) and not isinstance(budget, bool):
        return _by_budget(budget)
    kind = value.get("type")
    return _FIELDS.get(kind) if isinstance(kind, str) else (_ON if value.get("enabled") is True else None)


def _by_budget(tokens: int) -> Mapping[str, Any]:
    """0 is off, less than that as much as the model likes."""
    if tokens == 0:
        return _OFF
    return {"enable_thinking": True, "thinking_budget": tokens} if tokens > 0 else _ON
