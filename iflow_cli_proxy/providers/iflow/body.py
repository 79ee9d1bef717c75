"""The body iFlow is sent: limits, sampling, thinking, and what only some models want.

Knows the rules of the vendor's client as tables. Works on top-level fields that may still be bytes: `messages` and
`tools` are passed on as they came, only small fields are decoded. Refuses to know headers and accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.providers.fields import (
    ABOUT_CLIENTS,
    TOOL_FIELDS,
    asked_limit,
    decoded,
    decoded_fields,
    stream_fields,
    tool_fields,
)
from iflow_cli_proxy.providers.iflow.thinking import (
    VENDOR_FIELDS,
    WISH_FIELDS,
    Default,
    Level,
    is_wish,
    level_for,
    rule_for,
    wish_in,
)

INTERNAL_HOSTS: Final = (
    "offline-whale-wave.alibaba-inc.com",
    "whale.wave.vipserver.offline",
    "whale-wave.alibaba-inc.com",
    "pre-whale-wave.alibaba-inc.com",
    "internal-offline-whale-wave.alibaba-inc.com",
    "internal-whale-wave.alibaba-inc.com",
)
"""The vendor's own deployments, which want the session in the body too."""

_LIMIT_FIELDS: Final = ("max_new_tokens", "max_completion_tokens", "max_tokens")
_SAMPLING_FIELDS: Final = ("temperature", "top_p", "top_k")
_SMALL_FIELDS: Final = (
    *_LIMIT_FIELDS, *_SAMPLING_FIELDS, *WISH_FIELDS, *VENDOR_FIELDS, "stop", "stream_options", "extend_fields",
)  # fmt: skip

DEFAULT_TEMPERATURE: Final = 0.6
"""What the client sends for its main agent; `top_p` stays out beside it."""

SAMPLING: Final[tuple[tuple[Callable[[str], bool], Mapping[str, Any]], ...]] = (
    (lambda model: "glm-4.7" in model or "glm-5" in model, {"temperature": 1, "top_p": 0.95}),
    (lambda model: model == "iFlow-ROME-30BA3B", {"temperature": 0.7, "top_p": 0.8, "top_k": 20}),
)
"""What a model wants where the request is silent; the client's own values win."""

KIMI: Final = "kimi-k2.5"
KIMI_FORCED: Final = {"top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
"""Kimi K2.5 refuses other values, and any temperature."""

DEEPSEEK_CHAT: Final = "deepseek-v3.2-chat"
DEEPSEEK_REASONER: Final = "deepseek-v3.2-reasoner"
REPAIR_MODEL: Final = "QWen3-4B"


def build_body(
    model: str,
    fields: Mapping[str, Any],
    *,
    is_stream: bool,
    output_limit: Callable[[str], int],
    wish: Level | None = None,
    default_thinking: Default = "auto",
    wants_usage: bool = True,
    internal_session: str = "",
) -> dict[str, Any]:
    """The complete body for `model`, whose name is as on the wire. `fields` is not changed.

    `wish` comes from the model's name and wins over the fields. `output_limit` tells what a model can write;
    `internal_session` is the session id for the vendor's own deployments, else empty.
    """
    small = decoded_fields(fields, _SMALL_FIELDS)
    body: dict[str, Any] = {"model": model}
    if "messages" in fields:
        body["messages"] = fields["messages"]
    if is_stream:
        body.update(stream_fields(small.get("stream_options"), wants_usage=wants_usage))
    body.update((name, value) for name, value in fields.items() if name not in _REBUILT)
    if small.get("stop"):
        body["stop"] = small["stop"]
    body.update(_sampling(model, small))
    final_model = _think(body, model, small, level_for(model, wish or wish_in(small), default_thinking))
    body["model"] = final_model
    if model.startswith(KIMI):
        body.pop("temperature", None)
        body.update(KIMI_FORCED)
    body.update(_limits(final_model, small, output_limit(final_model)))
    body.update(tool_fields(fields))
    # While it thinks it refuses to be told which tool to call.
    if model.startswith(KIMI) and "tools" in body and _is_enabled(body.get("thinking")):
        body["tool_choice"] = "none" if decoded(body.get("tool_choice")) == "none" else "auto"
    body.update(_extend(model, small.get("extend_fields"), internal_session))
    if model == REPAIR_MODEL:
        for name in ("thinking_mode", "reasoning", "chat_template_kwargs"):
            body.pop(name, None)
    return body


_REBUILT: Final = frozenset({"model", "messages", "stream", *_SMALL_FIELDS, *TOOL_FIELDS, *ABOUT_CLIENTS})


def _sampling(model: str, small: Mapping[str, Json]) -> dict[str, Any]:
    """The client's temperature and top_p, else what the model wants, else the client program's temperature."""
    given = {name: small[name] for name in _SAMPLING_FIELDS if small.get(name) is not None}
    for fits, wanted in SAMPLING:
        if fits(model):
            return {**wanted, **given}
    is_silent = "temperature" not in given and "top_p" not in given
    return {**given, "temperature": DEFAULT_TEMPERATURE} if is_silent else given


def _think(body: dict[str, Any], model: str, small: Mapping[str, Json], level: Level | None) -> str:
    """Put the fields for thinking into `body`; answers the name that is called."""
    own = {name: small[name] for name in VENDOR_FIELDS if name in small and not is_wish(small[name], name)}
    if own:
        body.update(own)
        return model
    rule = rule_for(model)
    if rule is None or level is None:
        return model
    body.update(rule.fields(level))
    return DEEPSEEK_REASONER if model == DEEPSEEK_CHAT and level != "off" else model


def _limits(model: str, small: Mapping[str, Json], limit: int) -> dict[str, int]:
    tokens = asked_limit(small, _LIMIT_FIELDS, limit) or limit
    wants_both = model.startswith(KIMI) or ("deepseek" in model.lower() and model != DEEPSEEK_REASONER)
    return {"max_new_tokens": tokens, "max_tokens": tokens} if wants_both else {"max_new_tokens": tokens}


def _extend(model: str, given: Json, internal_session: str) -> dict[str, Any]:
    extended = dict(given) if isinstance(given, dict) else {}
    if internal_session:
        extended["sessionId"] = internal_session
    if model == REPAIR_MODEL:
        inner = extended.get("chat_template_kwargs")
        kept = inner if isinstance(inner, dict) else {}
        extended["chat_template_kwargs"] = {**kept, "enable_thinking": False}
    return {"extend_fields": extended} if extended else {}


def _is_enabled(thinking: Json) -> bool:
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"
