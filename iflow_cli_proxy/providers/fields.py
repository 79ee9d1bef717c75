"""Top-level fields of a request body that the vendors' clients treat alike: limits, streaming, tools.

A field may still be bytes, as it came; only small ones are decoded. Refuses to know which names a vendor has for what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json

TOOL_FIELDS: Final = ("tools", "tool_choice", "parallel_tool_calls")
ABOUT_CLIENTS: Final = ("conversation_id", "metadata", "prompt_cache_key", "session_id", "store", "user")
"""What clients tell other services about themselves; the vendors' own clients say nothing of it."""

_LONGEST_EMPTY_LIST: Final = 32
"""Bytes of `[]` with generous white space; what is longer has something in it and is not parsed to find out."""


def decoded(value: Any) -> Json:
    """A field as a plain value, whichever way it came."""
    return jsonx.decode(bytes(value)) if isinstance(value, jsonx.Raw) else value


def decoded_fields(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Json]:
    """Those of `names` that are there."""
    return {name: decoded(fields[name]) for name in names if name in fields}


def stream_fields(options: Json, *, wants_usage: bool) -> dict[str, Any]:
    """What asks for a stream; `options` are the client's `stream_options`."""
    kept = options if isinstance(options, dict) else {}
    options = {**kept, "include_usage": True} if wants_usage else kept
    return {"stream": True, "stream_options": options} if options else {"stream": True}


def tool_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The tools with what belongs to them; nothing at all for an empty list, which vendors dislike."""
    tools = fields.get("tools")
    is_long = isinstance(tools, jsonx.Raw) and len(bytes(tools)) > _LONGEST_EMPTY_LIST
    if is_long or decoded(tools):
        return {name: fields[name] for name in TOOL_FIELDS if name in fields}
    return {}


def asked_limit(small: Mapping[str, Json], names: Iterable[str], most: int) -> int | None:
    """How much the client wants written, by the first of `names` that counts something, as far as the model goes."""
    asked = next((value for name in names if _is_count(value := small.get(name))), None)
    return None if asked is None else min(asked, most)


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
