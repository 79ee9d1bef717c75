"""The messages as Qwen's portal takes them: one system message first, plain texts, every tool call answered.

Looks at each message's head and leaves the rest of it as bytes; only a message that breaks a rule is taken apart and
written anew. Nothing a client wrote is dropped except results of calls that were never made, which the service refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Turn, results_of
from iflow_cli_proxy.providers.qwen.arguments import mended

_SYSTEM_ROLES: Final = frozenset({"system", "developer"})
_EPHEMERAL: Final = {"type": "ephemeral"}
_JOINED: Final = "\n"
_NOTHING_SAID: Final = " "
"""A user message of no parts; an empty string may be refused."""


class _Function(msgspec.Struct):
    arguments: Any = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Head(msgspec.Struct):
    """What the rules ask of a message."""

    role: str
    content: jsonx.Raw = jsonx.Raw(b"null")
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Message(msgspec.Struct):
    raw: Any
    """`jsonx.Raw`, or plain once a rule has changed it."""
    head: _Head

    @property
    def has_parts(self) -> bool:
        return bytes(self.head.content).lstrip()[:1] == b"["


class Arranged(msgspec.Struct, frozen=True):
    """Messages ready to be encoded, and how often the person spoke."""

    messages: list[Any]
    prompts: int


_decode_list: Final = jsonx.typed(list[jsonx.Raw])
_decode_head: Final = jsonx.typed(_Head)


def arrange(messages: Json | jsonx.Raw) -> Arranged:
    """`messages` (checked already) by the rules of the portal."""
    data = bytes(messages) if isinstance(messages, jsonx.Raw) else jsonx.encode(messages)
    read = [_Message(raw, _decode_head(bytes(raw))) for raw in _decode_list(data)]
    system = [one for one in read if one.head.role in _SYSTEM_ROLES]
    talk = [_plain(one) for one in read if one.head.role not in _SYSTEM_ROLES]
    return Arranged(
        messages=[_system(system), *(one.raw for one in _answered(talk))],
        prompts=sum(one.head.role == "user" for one in talk),
    )


# --- system -------------------------------------------------------------------------------------------------------


def _system(messages: Iterable[_Message]) -> dict[str, Any]:
    """One message of all their parts, the last of which carries the one cache mark; of an empty text if need be."""
    parts = [part for one in messages for part in _system_parts(jsonx.decode(bytes(one.head.content)))]
    parts = parts or [{"type": "text", "text": ""}]
    parts[-1] = {**parts[-1], "cache_control": _EPHEMERAL}
    return {"role": "system", "content": parts}


def _system_parts(content: Json) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for part in content or ():
        if part.get("type") != "text" or part.get("text"):
            yield jsonx.without(part, "cache_control")


# --- content ------------------------------------------------------------------------------------------------------


def _plain(message: _Message) -> _Message:
    """Parts that are only text become one string; with anything else among them they stay as they are."""
    if not message.has_parts:
        return message
    parts = jsonx.decode(bytes(message.head.content))
    if any(part.get("type") != "text" for part in parts):
        return message
    text = _joined(parts)
    if not text and message.head.role == "user":
        text = _NOTHING_SAID
    return _with(message, content=text)


def _joined(parts: Iterable[Mapping[str, Json]]) -> str:
    return _JOINED.join(part.get("text") or "" for part in parts if part.get("type") == "text")


def _with(message: _Message, **fields: Any) -> _Message:
    raw = message.raw
    plain = jsonx.raw_fields(bytes(raw)) if isinstance(raw, jsonx.Raw) else raw
    return _Message({**plain, **fields}, message.head)


# --- tools --------------------------------------------------------------------------------------------------------


def _answered(talk: list[_Message]) -> Iterator[_Message]:
    """Every call with its result right behind it; what is no text in the results is shown behind the last of them."""
    turns = [_turn(one.head) for one in talk]
    results = results_of(turns)
    for number, one in enumerate(talk):
        if turns[number].answers is not None:
            continue
        yield _with_good_arguments(one)
        shown: list[Json] = []
        for place, found in enumerate(results.get(number, ())):
            yield _no_result(turns[number].calls[place]) if found is None else _as_text(talk[found], shown)
        if shown:
            yield _Message({"role": "user", "content": shown}, _Head(role="user"))


def _turn(head: _Head) -> Turn:
    if head.role == "tool":
        return Turn(answers=head.tool_call_id or "")
    return Turn(calls=tuple(call.id or "" for call in head.tool_calls or () if head.role == "assistant"))


def _as_text(result: _Message, shown: list[Json]) -> _Message:
    """A result as the string it must be; what is no text is added to `shown`, for the person's side to show."""
    if bytes(result.head.content) == b"null":
        return _with(result, content="")
    if isinstance(result.raw, dict) or not result.has_parts:
        return result
    parts = jsonx.decode(bytes(result.head.content))
    shown += [part for part in parts if part.get("type") != "text"]
    return _with(result, content=_joined(parts))


def _no_result(call_id: str) -> _Message:
    return _Message({"role": "tool", "tool_call_id": call_id, "content": ""}, _Head(role="tool"))


def _with_good_arguments(message: _Message) -> _Message:
    """Arguments must be JSON as text."""
    fixed: dict[int, str] = {}
    for number, call in enumerate(message.head.tool_calls or ()):
        if call.function and (good := mended(call.function.arguments)) != call.function.arguments:
            fixed[number] = good
    if not fixed:
        return message
    raw = message.raw
    plain = jsonx.decode(bytes(raw)) if isinstance(raw, jsonx.Raw) else jsonx.decode(jsonx.encode(raw))
    for number, arguments in fixed.items():
        plain["tool_calls"][number]["function"]["arguments"] = arguments
    return _Message(plain, message.head)
