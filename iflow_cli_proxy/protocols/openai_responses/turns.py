"""Items of a Responses conversation as messages, and messages as items.

Whatever the model said in one go (thinking, texts, calls) is one message here and several items there. What a message
cannot hold of its items is kept in its extras, so that an unchanged message becomes the very items it was made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note, mended_arguments
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
from iflow_cli_proxy.protocols.data_url import data_url, split_data_url
from iflow_cli_proxy.protocols.openai_responses.sealing import decode_seals, encode_seals
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames, wrapped
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL, type_of

Item: TypeAlias = Mapping[str, Json]

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
_SHELL: Final = "local_shell"
_BETWEEN_SUMMARIES: Final = "\n\n"
_ITEMS: Final = "items"
_NO_REASONING: Final = Reasoning()
_NOTHING_LOST: Final = ("additional_tools", "reasoning")
"""Items that may be left out without a word: the tools have been taken, and there was no thinking."""


class Turns(NamedTuple):
    messages: tuple[Message, ...]
    rest: tuple[Item, ...]
    """Items at the end that are part of no message."""
    notes: tuple[Note, ...]


class _Read(NamedTuple):
    """An item as parts. Without a role it stands in whichever message is at hand; so does thinking with nothing in it,
    which Codex gives back when it got nothing else."""

    role: Role | None
    parts: tuple[Part, ...]
    source: Item


# --- decode -------------------------------------------------------------------------------------------------------


def decode_items(items: Sequence[Item], names: ToolNames) -> Turns:
    turns: list[tuple[Role, list[_Read]]] = []
    held: list[_Read] = []
    notes: list[Note] = []
    for at, item in enumerate(items):
        read = _read(item, names)
        notes += _notes(read, f"input[{at}]")
        is_going_on = bool(turns) and turns[-1][0] is Role.ASSISTANT and not held
        if is_going_on and read.role in (None, Role.ASSISTANT):
            turns[-1][1].append(read)
        elif read.role is None:
            held.append(read)
        elif read.role is Role.TOOL:
            turns.append((read.role, [read]))  # a result stands alone, so what is held waits for the next
        else:
            turns.append((read.role, [*held, read]))
            held = []
    return Turns(tuple(_message(*turn) for turn in turns), tuple(read.source for read in held), tuple(notes))


def _message(role: Role, reads: Sequence[_Read]) -> Message:
    """With extras where its parts alone would become other items; a system prompt is told by them from instructions."""
    message = Message(role=role, parts=tuple(part for read in reads for part in read.parts))
    if role is not Role.SYSTEM and list(_encode_message(message)) == [read.source for read in reads]:
        return message
    return msgspec.structs.replace(message, extras={PROTOCOL: {_ITEMS: [_kept(role, read) for read in reads]}})


def _kept(role: Role, read: _Read) -> dict[str, Any]:
    """What it takes to write the item again: how many parts it has, and what they do not say."""
    is_message = type_of(read.source) == "message"
    plain = _encode_item(role, read.parts, is_message) or {}
    return {
        "parts": len(read.parts),
        "is_message": is_message,
        "own": {name: value for name, value in read.source.items() if name not in plain or plain[name] != value},
        "absent": [name for name in plain if name not in read.source],
    }


def _read(item: Item, names: ToolNames) -> _Read:
    kind = type_of(item)
    match kind:
        case "message":
            return _Read(_ROLES[item["role"]], tuple(_decode_content(item["content"])), item)
        case "reasoning":
            part = _decode_reasoning(item)
            return _Read(Role.ASSISTANT, (part,), item) if part != _NO_REASONING else _Read(None, (), item)
        case "function_call" | "custom_tool_call" | "local_shell_call":
            return _Read(Role.ASSISTANT, (_decode_call(kind, item, names),), item)
        case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
            return _Read(Role.TOOL, (_decode_output(item),), item)
        case _:
            return _Read(None, (Opaque(protocol=PROTOCOL, value=item),), item)


def _notes(read: _Read, path: str) -> Iterator[Note]:
    kind = type_of(read.source)[:64]
    if read.role is None:
        if kind not in _NOTHING_LOST:
            yield Note(path, f"an item of the type {kind} means nothing to this upstream, so it was left out")
        return
    for part in read.parts:
        if isinstance(part, Opaque):
            word = str(part.value.get("type"))[:64]
            yield Note(path, f"a part of the type {word} means nothing to this upstream, so it was left out")
    output = read.source.get("output")
    if read.role is Role.TOOL and isinstance(output, list):
        gone = [one["type"] for one in output if not isinstance(_decode_part(one), Text | Image)]
        if gone:
            yield Note(path, f"the output has parts of the type {gone[0][:64]}, which were replaced by their names")


def _decode_reasoning(item: Item) -> Reasoning:
    """The thinking itself where it is open, else its summary."""
    content = "".join(part["text"] for part in item.get("content") or ())
    summary = _BETWEEN_SUMMARIES.join(part["text"] for part in item.get("summary") or ())
    return Reasoning(text=content or summary, seals=decode_seals(item.get("encrypted_content") or ""))


def _decode_call(kind: str, item: Item, names: ToolNames) -> ToolCall:
    if kind == "local_shell_call":
        return ToolCall(id=_id_of(item), name=_SHELL, arguments=jsonx.encode(item["action"]).decode())
    name = names.flat(item["name"], item.get("namespace") or "")
    arguments = _readable(item["arguments"]) if kind == "function_call" else wrapped(item["input"])
    return ToolCall(id=item["call_id"], name=name, arguments=arguments)


def _readable(arguments: str) -> str:
    """What the model wrote, even where it is no JSON and cannot be made any: no upstream takes that, and the turn is
    told again with every one that follows."""
    return arguments if mended_arguments(arguments) is not None else wrapped(arguments)


def _decode_output(item: Item) -> ToolResult:
    return ToolResult(
        call_id=_id_of(item), parts=tuple(_decode_result(part) for part in _decode_content(item["output"]))
    )


def _decode_result(part: Part) -> Text | Image:
    """Results hold text and images; of anything else the model at least hears that it was there."""
    match part:
        case Text() | Image():
            return part
        case File():
            return Text(
                text=f"[a file that cannot be shown here: {part.name or part.file_id or part.url or 'unnamed'}]"
            )
        case _:
            return Text(text="[something that cannot be shown here]")


def _id_of(item: Item) -> str:
    return item.get("call_id") or item.get("id") or ""


def _decode_content(content: Json) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
        return
    for part in content:
        yield _decode_part(part)


def _decode_part(part: Item) -> Part:
    match part["type"]:
        case "input_text" | "output_text" | "text":
            return Text(text=part["text"])
        case "refusal":
            return Refusal(text=part["refusal"])
        case "input_image" if part.get("image_url"):
            return decode_image(part)
        case "input_file":
            media_type, data = split_data_url(part.get("file_data") or "")
            return File(
                name=part.get("filename") or "",
                url=part.get("file_url") or "",
                data=data,
                media_type=media_type,
                file_id=part.get("file_id") or "",
            )
        case "input_audio":
            return Audio(data=part["input_audio"]["data"], format=part["input_audio"]["format"])
        case _:
            return Opaque(protocol=PROTOCOL, value=part)


def decode_image(part: Item) -> Image:
    detail = part.get("detail") or ""
    media_type, data = split_data_url(part["image_url"])
    return Image(data=data, media_type=media_type, detail=detail) if media_type else Image(url=data, detail=detail)


# --- encode -------------------------------------------------------------------------------------------------------


def encode_messages(messages: Iterable[Message]) -> list[Item]:
    return [item for message in messages for item in _encode_message(message)]


def _encode_message(message: Message) -> Iterator[Item]:
    kept = message.extras.get(PROTOCOL, {}).get(_ITEMS, ())
    parts = message.parts
    if not kept or sum(one["parts"] for one in kept) != len(parts):
        for group, is_message in _grouped(parts):
            says_nothing = is_message and message.role is Role.ASSISTANT and _is_blank(group)
            if not says_nothing and (item := _encode_item(message.role, group, is_message)):
                yield item
        return
    at = 0
    for one in kept:
        group, at = parts[at : at + one["parts"]], at + one["parts"]
        item = dict(_encode_item(message.role, group, one["is_message"]) or {}) | one["own"]
        yield jsonx.without(item, *one["absent"])


def _grouped(parts: Sequence[Part]) -> Iterator[tuple[Sequence[Part], bool]]:
    """Texts and pictures that stand together are one message; everything else is an item of its own."""
    group: list[Part] = []
    for part in parts:
        if not isinstance(part, Reasoning | ToolCall | ToolResult | Opaque):
            group.append(part)
            continue
        if group:
            yield group, True
            group = []
        yield (part,), False
    if group:
        yield group, True


def _is_blank(parts: Sequence[Part]) -> bool:
    """Chats have an empty text beside calls; here it would be an item of its own."""
    return all(isinstance(part, Text) and not part.text for part in parts)


def _encode_item(role: Role, parts: Sequence[Part], is_message: bool) -> Item | None:
    """None for what only another protocol understands."""
    if is_message:
        content = [found for part in parts if (found := _encode_part(part, role))]
        return {"type": "message", "role": role.value, "content": content}
    if not parts:
        return None
    (part,) = parts
    match part:
        case Reasoning():
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            sealed = {"encrypted_content": encode_seals(part.seals)} if part.seals else {}
            return {"type": "reasoning", "summary": summary, **sealed} if summary or sealed else None
        case ToolCall():
            return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}
        case ToolResult():
            return {"type": "function_call_output", "call_id": part.call_id, "output": _encode_output(part)}
        case Opaque() if part.protocol == PROTOCOL:
            return part.value
        case _:
            return None


def _encode_output(result: ToolResult) -> Json:
    texts = [part.text for part in result.parts if isinstance(part, Text)]
    if len(texts) == len(result.parts) <= 1:
        return "".join(texts)
    return [_encode_part(part, Role.TOOL) for part in result.parts]


def _encode_part(part: Part, role: Role) -> Item | None:
    match part:
        case Text():
            return {"type": "output_text" if role is Role.ASSISTANT else "input_text", "text": part.text}
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Image():
            url = part.url or data_url(part.media_type, part.data)
            return {"type": "input_image", "image_url": url, **({"detail": part.detail} if part.detail else {})}
        case Audio():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case File():
            data = data_url(part.media_type, part.data) if part.media_type else part.data
            named = {"filename": part.name, "file_url": part.url, "file_id": part.file_id, "file_data": data}
            return {"type": "input_file"} | {name: value for name, value in named.items() if value}
        case Opaque() if part.protocol == PROTOCOL:
            return part.value
        case _:
            return None
