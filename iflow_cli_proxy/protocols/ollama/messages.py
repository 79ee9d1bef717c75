"""`messages`, to canonical messages and back.

A message has one text, one thinking and a list of images: how these were mixed does not survive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import (
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.call_ids import CallIds, is_made_up
from iflow_cli_proxy.protocols.ollama.pictures import decode_image
from iflow_cli_proxy.protocols.ollama.wire import PROTOCOL
from iflow_cli_proxy.protocols.whole_calls import arguments_object

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
_MODELLED: Final = frozenset({"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"})
_UNNAMED: Final = "unnamed"
"""Set in the extras of a result that did not say which function it is of."""

# --- decode -------------------------------------------------------------------------------------------------------


def decode_messages(wires: Iterable[Mapping[str, Json]]) -> tuple[Message, ...]:
    ids = CallIds()
    return tuple(_decode_message(wire, ids) for wire in wires)


def _decode_message(wire: Mapping[str, Json], ids: CallIds) -> Message:
    role = _ROLES.get(wire["role"], Role.USER)
    extras = {name: value for name, value in wire.items() if name not in _MODELLED}
    if role != wire["role"]:
        extras["role"] = wire["role"]
    parts = _decode_parts(wire, ids)
    name = ""
    if role is Role.TOOL:
        name = wire.get("tool_name") or ""
        if not name:
            extras[_UNNAMED] = True
        call_id = ids.result(wire.get("tool_call_id") or "", name)
        name = "" if name == ids.name_of(call_id) else name
        shown = tuple(part for part in parts if isinstance(part, Text | Image))
        parts = [ToolResult(call_id=call_id, parts=shown)]
    return Message(role=role, parts=tuple(parts), name=name, extras={PROTOCOL: extras} if extras else {})


def _decode_parts(wire: Mapping[str, Json], ids: CallIds) -> list[Part]:
    parts: list[Part] = []
    if wire.get("thinking"):
        parts.append(Reasoning(text=wire["thinking"]))
    if wire.get("content"):
        parts.append(Text(text=wire["content"]))
    parts += [decode_image(data) for data in wire.get("images") or ()]
    parts += [_decode_call(call, ids) for call in wire.get("tool_calls") or ()]
    return parts or [Text(text="")]


def _decode_call(call: Mapping[str, Json], ids: CallIds) -> ToolCall:
    function = call["function"]
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else jsonx.encode(arguments or {}).decode()
    return ToolCall(id=ids.call(call.get("id") or "", function["name"]), name=function["name"], arguments=text)


# --- encode -------------------------------------------------------------------------------------------------------


def encode_messages(messages: Sequence[Message]) -> list[Json]:
    ids = CallIds()
    return [wire for message in messages for wire in _encode_message(message, ids)]


def _encode_message(message: Message, ids: CallIds) -> Iterator[dict[str, Json]]:
    extras = dict(message.extras.get(PROTOCOL, {}))
    is_unnamed = extras.pop(_UNNAMED, False)
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    for result in results:
        known = {} if not result.call_id or is_made_up(result.call_id) else {"tool_call_id": result.call_id}
        name = "" if is_unnamed else message.name or ids.name_of(result.call_id)
        named = {"tool_name": name} if name else {}
        yield {"role": "tool", **_encode_matter(result.parts), **named, **known, **extras}
    if rest or not results:
        yield {"role": message.role.value, **_encode_matter(rest), **_encode_calls(rest, ids), **extras}


def _encode_matter(parts: Sequence[Part]) -> dict[str, Json]:
    texts = [text for part in parts if (text := _words_of(part)) is not None]
    matter: dict[str, Json] = {"content": "\n".join(texts)}
    if thinking := "".join(part.text for part in parts if isinstance(part, Reasoning)):
        matter["thinking"] = thinking
    if images := [part.data for part in parts if isinstance(part, Image) and part.data]:
        matter["images"] = images
    return matter


def _words_of(part: Part) -> str | None:
    """What a part is in a text; what Ollama cannot be shown it is told of."""
    match part:
        case Text() | Refusal():
            return part.text
        case Image(data="", url=url):
            return f"[image: {url}]"
        case File():
            return f"[file: {part.name or part.url or part.file_id or part.media_type}]"
        case _:
            return None


def _encode_calls(parts: Sequence[Part], ids: CallIds) -> dict[str, Json]:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    return {"tool_calls": [_encode_call(call, ids) for call in calls]} if calls else {}


def _encode_call(call: ToolCall, ids: CallIds) -> dict[str, Json]:
    ids.call(call.id, call.name)
    known = {} if not call.id or is_made_up(call.id) else {"id": call.id}
    return {**known, "function": {"name": call.name, "arguments": arguments_object(call.arguments)}}
