"""`contents` and `systemInstruction`, to canonical messages and back.

One content becomes several messages where it holds results of tools: each result is one, and what stands beside them
(Gemini CLI puts a tool's picture there) a user's message after them. In encoding they find each other again.
A thought's signature stands on the part that follows the thought, which is where Google puts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    Audio,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.call_ids import CallIds, is_made_up
from iflow_cli_proxy.protocols.gemini.media import decode_media, encode_media
from iflow_cli_proxy.protocols.gemini.results import decode_result, encode_result
from iflow_cli_proxy.protocols.gemini.seals import PLACEHOLDERS, decode_seals, encode_seals
from iflow_cli_proxy.protocols.gemini.wire import PROTOCOL
from iflow_cli_proxy.protocols.whole_calls import arguments_object

_KNOWN: Final = frozenset(
    {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"}
)
_SIDES: Final = {"model": Role.ASSISTANT, "system": Role.SYSTEM}
"""Whose words they are; all other roles speak for the user."""
_ROLES: Final = {Role.ASSISTANT: "model"}
_JOINS: Final = "joins"
"""Set in the extras of a message that stands in the same content as the one before it."""
_PLACEHOLDERS: Final = "placeholders"
"""Where the extras of a message keep what a client wrote instead of signatures, by the number of the call."""

# --- decode -------------------------------------------------------------------------------------------------------


def decode_system(content: Mapping[str, Json] | None) -> tuple[Message, ...]:
    if content is None:
        return ()
    parts = tuple(Text(text=part["text"]) for part in content.get("parts") or () if part.get("text") is not None)
    return (Message(role=Role.SYSTEM, parts=parts),) if parts else ()


def decode_contents(contents: Sequence[Mapping[str, Json]], notes: list[Note]) -> tuple[Message, ...]:
    """What no other protocol has a word for is told in `notes`."""
    ids = CallIds()
    messages: list[Message] = []
    for number, content in enumerate(contents):
        messages += _decode_content(content, ids, f"contents[{number}]", notes)
    return tuple(messages)


def refuse_lone_results(contents: Sequence[Mapping[str, Json]]) -> None:
    """Raises InvalidRequest where there are results of functions and nothing else: no call that they answer, and no
    question without them."""
    parts = [
        (f"contents[{number}].parts[{at}].functionResponse", part)
        for number, content in enumerate(contents)
        for at, part in enumerate(content.get("parts") or ())
    ]
    if parts and all(part.get("functionResponse") is not None for _, part in parts):
        path = parts[0][0]
        raise InvalidRequest(
            f"`{path}`: This answers no function call.",
            hint="send the turn with its functionCall before it",
            param=path,
        )


def _decode_content(content: Mapping[str, Json], ids: CallIds, path: str, notes: list[Note]) -> list[Message]:
    parts = content.get("parts") or ()
    results = [part["functionResponse"] for part in parts if part.get("functionResponse") is not None]
    others = [part for part in parts if part.get("functionResponse") is None]
    messages = [decode_result(result, ids) for result in results]
    if others or not results:
        notes += [
            Note(f"{path}.parts[{at}]", "only Gemini knows parts of this kind")
            for at, part in enumerate(parts)
            if _is_foreign(part)
        ]
        messages.append(_decode_turn(content.get("role"), others, ids))
    if results and content.get("role") != "user":
        messages[0] = _with_extras(messages[0], {"role": content.get("role")})
    return [messages[0], *(_with_extras(message, {_JOINS: True}) for message in messages[1:])]


def _decode_turn(role: str | None, wires: Iterable[Mapping[str, Json]], ids: CallIds) -> Message:
    parts: list[Part] = []
    placeholders: dict[str, str] = {}
    calls = 0
    for wire in wires:
        signature = wire.get("thoughtSignature") or ""
        part = _decode_part(wire, ids)
        if isinstance(part, ToolCall):
            if signature in PLACEHOLDERS:
                placeholders[str(calls)] = signature
            calls += 1
        if signature and signature not in PLACEHOLDERS and not isinstance(part, Opaque):
            part = _sealed(parts, part, decode_seals(signature))
        parts.append(part)
    side = Role.ASSISTANT if calls else _SIDES.get(role or "", Role.USER)
    extras: dict[str, Json] = {_PLACEHOLDERS: placeholders} if placeholders else {}
    if side is not Role.SYSTEM and role != _ROLES.get(side, "user"):
        extras["role"] = role
    return Message(role=side, parts=tuple(parts), extras={PROTOCOL: extras} if extras else {})


def _sealed(before: list[Part], part: Part, seals: Mapping[str, str]) -> Part:
    """Give the seals to the thought they belong to: the part itself, the one before, or one without words."""
    if isinstance(part, Reasoning):
        return Reasoning(text=part.text, seals=seals)
    if before and isinstance(before[-1], Reasoning) and not before[-1].seals:
        before[-1] = Reasoning(text=before[-1].text, seals=seals)
    else:
        before.append(Reasoning(seals=seals))
    return part


def _is_foreign(wire: Mapping[str, Json]) -> bool:
    names = {name for name, value in wire.items() if value is not None}
    return bool(names - _KNOWN) or not names - {"thought", "thoughtSignature"}


def _decode_part(wire: Mapping[str, Json], ids: CallIds) -> Part:
    if _is_foreign(wire):
        return Opaque(protocol=PROTOCOL, value=wire)
    if (call := wire.get("functionCall")) is not None:
        arguments = jsonx.encode(call.get("args") or {}).decode()
        return ToolCall(id=ids.call(call.get("id") or "", call["name"]), name=call["name"], arguments=arguments)
    if (media := decode_media(wire)) is not None:
        return media
    text = wire.get("text") or ""
    return Reasoning(text=text) if wire.get("thought") else Text(text=text)


def _with_extras(message: Message, extras: Mapping[str, Any]) -> Message:
    own = {**message.extras.get(PROTOCOL, {}), **extras}
    return Message(role=message.role, parts=message.parts, name=message.name, extras={**message.extras, PROTOCOL: own})


# --- encode -------------------------------------------------------------------------------------------------------


def encode_system(messages: Sequence[Message]) -> dict[str, Json] | None:
    """Of the system's messages, those that stand before all others."""
    parts = [{"text": part.text} for message in _leading(messages) for part in message.parts if isinstance(part, Text)]
    return {"parts": parts} if parts else None


def encode_contents(messages: Sequence[Message]) -> list[Json]:
    """The rest. A system's message among them speaks as the user: there is no other role for it."""
    ids = CallIds()
    contents: list[dict[str, Json]] = []
    previous: Role | None = None
    for message in messages[len(_leading(messages)) :]:
        extras = message.extras.get(PROTOCOL, {})
        parts = [*_encode_parts(message, ids, extras.get(_PLACEHOLDERS, {}))]
        is_model = message.role is Role.ASSISTANT
        is_next_result = message.role is previous is Role.TOOL
        if contents and (is_next_result or extras.get(_JOINS)) and (previous is Role.ASSISTANT) is is_model:
            contents[-1]["parts"] += parts
        else:
            role = extras.get("role", _ROLES.get(message.role, "user"))
            contents.append(({"role": role} if role is not None else {}) | {"parts": parts})
        previous = message.role
    return contents


def _leading(messages: Sequence[Message]) -> Sequence[Message]:
    count = next((at for at, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))
    return messages[:count]


def _encode_parts(message: Message, ids: CallIds, placeholders: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    written: list[dict[str, Json]] = []
    signature = ""
    calls = 0
    for part in message.parts:
        match part:
            case Reasoning():
                _sign_last(written, signature)
                signature = encode_seals(part.seals)
                if part.text:
                    written.append({"text": part.text, "thought": True})
                continue
            case Text(text="") if len(message.parts) > 1 and not signature:
                continue  # it says nothing, and Google refuses a text without words
            case Text() | Refusal():
                written.append({"text": part.text})
            case ToolCall():
                written.append(_encode_call(part, ids))
                signature = signature or placeholders.get(str(calls), "")
                calls += 1
            case ToolResult():
                written.append(encode_result(part, message, ids))
            case File(file_id=file_id) if file_id:
                written.append({"text": f"[file: {part.name or file_id}]"})  # somebody else's file
            case Image() | Audio() | File():
                written.append(encode_media(part))
            case Opaque():
                if part.protocol == PROTOCOL:
                    written.append(dict(part.value))
        if signature and isinstance(part, Text | Refusal | ToolCall):
            written[-1]["thoughtSignature"] = signature
            signature = ""
    _sign_last(written, signature)
    yield from written


def _sign_last(written: list[dict[str, Json]], signature: str) -> None:
    """A signature that found no part after it goes on its thought, or on a text of its own."""
    if not signature:
        return
    if not (written and written[-1].get("thought") and "thoughtSignature" not in written[-1]):
        written.append({"text": ""})
    written[-1]["thoughtSignature"] = signature


def _encode_call(call: ToolCall, ids: CallIds) -> dict[str, Json]:
    ids.call(call.id, call.name)
    known = {} if not call.id or is_made_up(call.id) else {"id": call.id}
    return {"functionCall": {**known, "name": call.name, "args": arguments_object(call.arguments)}}
