"""How Qwen's portal decides whom and what it answers: the bearer, the client's headers, the shape of the messages.

Knows the strict rules that the portal had in 2026-04 and its error bodies. Refuses to know HTTP servers and sign-in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo.faults import Plain, portal_error
from iflow_cli_proxy.routing.catalog import Catalog, Model

DEFAULT_MODEL: Final = "coder-model"
MODELS: Final = Catalog(
    [
        Model(id="coder-model", output_tokens=65_536, has_vision=True, thinking="switchable"),
        Model(id="qwen3-coder-plus", output_tokens=65_536),
        Model(id="qwen3-coder-flash", output_tokens=65_536),
        Model(id="vision-model", output_tokens=32_768, has_vision=True),
    ]
)
"""What the portal itself knows: `qwen3.5-plus` and the like are aliases that clients resolve."""

_AGENT: Final = "QwenCode/"
_TOOL_ORDER: Final = "InternalError.Algo.InvalidParameter"


def complaint(message: str, code: str = "invalid_parameter_error") -> Plain:
    return portal_error(400, code, message, kind="invalid_request_error")


def unknown_model(name: str) -> Plain:
    return complaint(f"model `{name}` is not supported.", "model_not_supported")


def refuse_caller(headers: Mapping[str, str], person: str | None) -> Plain | None:
    """Why nobody answers this caller. `headers` ignores case; `person` is whom the bearer names, None: nobody."""
    if person is None:
        return portal_error(401, "invalid_api_key", "invalid access token or token expired")
    agent = headers.get("X-DashScope-UserAgent", "")
    if not agent.startswith(_AGENT) or agent != headers.get("User-Agent"):
        return complaint("X-DashScope-UserAgent must be the user agent of Qwen Code, as in User-Agent.")
    if headers.get("X-DashScope-CacheControl") != "enable":
        return complaint("X-DashScope-CacheControl must be enable.")
    if headers.get("X-DashScope-AuthType") != "qwen-oauth":
        return complaint("X-DashScope-AuthType must be qwen-oauth.")
    return None


def refuse_body(body: Mapping[str, Any], model: Model | None) -> Plain | None:
    """Why this is not answered, None when it is."""
    if model is None:
        return unknown_model(str(body.get("model")))
    limit = body.get("max_tokens")
    if limit is not None and not (isinstance(limit, int) and 1 <= limit <= model.output_tokens):
        return complaint(f"Range of max_tokens should be [1, {model.output_tokens}]")
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return complaint("'messages' must contain objects.")
    wrong = next(_shape_faults(messages), "")
    if wrong:
        return complaint(wrong)
    wrong = next(_tool_faults(messages), "")
    return complaint(wrong, _TOOL_ORDER) if wrong else None


def _shape_faults(messages: list[dict[str, Any]]) -> Iterator[str]:
    system = messages[0] if messages else {}
    if system.get("role") != "system":
        yield "The first message must be the system message."
    if not _ends_in_cache_control(system.get("content")):
        yield "The system message must be an array of text parts, the last with cache_control."
    for place, message in enumerate(messages[1:], 1):
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "tool"):
            yield f"messages[{place}]: role {role!r} is not allowed here."
        if role == "user" and _is_text_array(content) and not _ends_in_cache_control(content):
            yield f"messages[{place}]: an array of nothing but text must be a string."
        if role == "tool" and not isinstance(content, str):
            yield f"messages[{place}]: the result of a tool must be a string."


def _tool_faults(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Calls without an answer directly after them, answers without a call, arguments that are not JSON."""
    open_calls: set[Json] = set()
    for place, message in enumerate(messages):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield f"messages[{place}]: a tool message must follow the call it answers."
            open_calls.discard(message.get("tool_call_id"))
            continue
        if open_calls:
            break
        for call in message.get("tool_calls") or ():
            if not _is_json(call["function"].get("arguments")):
                yield f"messages[{place}]: function.arguments must be in JSON format."
            open_calls.add(call.get("id"))
    if open_calls:
        yield 'An assistant message with "tool_calls" must be followed by tool messages that answer each of them.'


def _ends_in_cache_control(content: Json) -> bool:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return False
    return bool(content) and content[-1].get("cache_control") == {"type": "ephemeral"}


def _is_text_array(content: Json) -> bool:
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in content
    )  # fmt: skip


def _is_json(text: Json) -> bool:
    try:
        jsonx.decode_strict(text.encode() if isinstance(text, str) else b"")
    except jsonx.JsonError:
        return False
    return True
