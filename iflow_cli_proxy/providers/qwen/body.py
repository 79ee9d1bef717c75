"""The body Qwen is sent: messages by its rules, limits, thinking, and what its client says about a prompt.

Works on top-level fields that may still be bytes; `messages` are looked at (`messages.py`), `tools` are passed on as
they came, and only small fields are decoded. Refuses to know headers and accounts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.providers.fields import (
    ABOUT_CLIENTS,
    TOOL_FIELDS,
    asked_limit,
    decoded_fields,
    stream_fields,
    tool_fields,
)
from iflow_cli_proxy.providers.qwen.messages import arrange
from iflow_cli_proxy.providers.qwen.thinking import VENDOR_FIELDS, WISH_FIELDS, Default, thinking_fields

_LIMIT_FIELDS: Final = ("max_tokens", "max_completion_tokens", "max_new_tokens")
_SMALL_FIELDS: Final = (*_LIMIT_FIELDS, *WISH_FIELDS, *VENDOR_FIELDS, "stream_options")
_REBUILT: Final = frozenset({"model", "messages", "stream", *_SMALL_FIELDS, *TOOL_FIELDS, *ABOUT_CLIENTS})

_HIGH_RESOLUTION: Final = "vl_high_resolution_images"
_SEES_DETAIL: Final = re.compile(r"coder-model|vision-model|qwen-vl|qwen3-vl-plus|qwen3\.5-plus", re.IGNORECASE)
"""Models whose name begins so; the lists of the client's versions 0.10 and 0.12 together."""


def build_body(
    model: str,
    fields: Mapping[str, Any],
    *,
    is_stream: bool,
    output_limit: int,
    session: str,
    wish: Mapping[str, Any] | None = None,
    default_thinking: Default = "auto",
    is_switchable: bool = False,
    wants_usage: bool = True,
) -> dict[str, Any]:
    """The complete body for `model`, whose name is as on the wire. `fields` is not changed.

    `wish` are fields for thinking that the model's name asks for; `session` is the client program's session id.
    """
    small = decoded_fields(fields, _SMALL_FIELDS)
    arranged = arrange(fields.get("messages", []))
    body: dict[str, Any] = {"model": model, "messages": arranged.messages}
    if is_stream:
        body.update(stream_fields(small.get("stream_options"), wants_usage=wants_usage))
    body.update((name, value) for name, value in fields.items() if name not in _REBUILT)
    body.update(_limit(small, output_limit))
    body.update(thinking_fields(small, wish, default_thinking, is_switchable=is_switchable))
    body.update(tool_fields(fields))
    if _SEES_DETAIL.match(model):
        body.setdefault(_HIGH_RESOLUTION, True)
    # The client counts the prompts of a session from 0; a tool's result belongs to the prompt before it.
    prompt = max(arranged.prompts - 1, 0)
    body["metadata"] = {"sessionId": session, "promptId": f"{session}########{prompt}"}
    return body


def _limit(small: Mapping[str, Json], limit: int) -> dict[str, int]:
    """The client's limit as far as the model goes; nothing of ours, so the service's own default holds."""
    asked = asked_limit(small, _LIMIT_FIELDS, limit)
    return {} if asked is None else {"max_tokens": asked}
