"""Content blocks and canonical parts, both ways.

A block that a part cannot say whole (it has a `cache_control`, or is of a kind nobody else has) makes its message
keep the blocks as they were written; see `request.py`. What no part can say at all gets a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    Audio,
    File,
    Image,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.anthropic.wire import PROTOCOL, Block
from iflow_cli_proxy.protocols.whole_calls import arguments_object

_Given: TypeAlias = Mapping[str, Json]
_LEFT_OUT: Final = "[{} left out]"
REDACTED: Final = "redacted"
SIGNATURE: Final = "signature"


# --- decode -------------------------------------------------------------------------------------------------------


def decode_blocks(content: Json, path: str, notes: list[Note], places: Sequence[int] | None = None) -> list[Part]:
    """The parts of a message or of a system prompt.

    `path` is where the list stands that the blocks are from, and `places` where in it, when they are not all of it.
    """
    if isinstance(content, str):
        return [Text(text=content)]
    numbered = zip(places, content, strict=True) if places is not None else enumerate(content)
    return [part for at, block in numbered for part in _decode_block(block, f"{path}[{at}]", notes)]


def _decode_block(block: _Given, path: str, notes: list[Note]) -> Iterator[Part]:
    match block["type"]:
        case "text":
            yield Text(text=block["text"])
        case "image" if (image := decode_image(block)) is not None:
            yield image
        case "document":
            yield from _decode_document(block, path, notes)
        case "search_result":
            yield Text(text=_search_result(block))
        case "thinking":
            seal = block.get(SIGNATURE)
            yield Reasoning(text=block["thinking"], seals={SIGNATURE: seal} if seal else {})
        case "redacted_thinking":
            yield Reasoning(seals={REDACTED: block["data"]})
        case "tool_use":
            arguments = jsonx.encode(block.get("input") or {}).decode()
            yield ToolCall(id=block["id"], name=block["name"], arguments=arguments)
        case "tool_result":
            yield decode_result(block, path, notes)
        case unknown:
            notes.append(Note(path, f"a block of type {unknown} has no counterpart elsewhere, so it was left out"))
            yield Opaque(protocol=PROTOCOL, value=block)


def decode_image(block: _Given) -> Image | None:
    """None for an image that is only an id of Anthropic's."""
    source = block["source"]
    match source["type"]:
        case "base64":
            return Image(data=source["data"], media_type=source["media_type"])
        case "url":
            return Image(url=source["url"])
        case _:
            return None


def _decode_document(block: _Given, path: str, notes: list[Note]) -> Iterator[Part]:
    source, title = block["source"], block.get("title") or ""
    if context := block.get("context"):
        yield Text(text=_titled(title, context))
    match source["type"]:
        case "base64":
            yield File(name=title, data=source["data"], media_type=source["media_type"])
        case "url":
            yield File(name=title, url=source["url"])
        case "file":
            yield File(name=title, file_id=source["file_id"])
        case "text":
            yield Text(text=_titled(title, source["data"]))
        case "content":
            if title:
                yield Text(text=title)
            yield from decode_blocks(source["content"], f"{path}.source.content", notes)
        case unknown:
            notes.append(Note(path, f"a document from a source of type {unknown} was left out"))
            yield Opaque(protocol=PROTOCOL, value=block)


def _search_result(block: _Given) -> str:
    """As a person would write it down."""
    head = "\n".join(line for line in (block.get("title"), block.get("source")) if line)
    return _titled(head, "\n\n".join(text for found in block["content"] if isinstance(text := found.get("text"), str)))


def _titled(title: str, text: str) -> str:
    return f"{title}\n\n{text}" if title else text


def decode_result(block: _Given, path: str, notes: list[Note]) -> ToolResult:
    """Results hold text and images only; a word stands where anything else was, so that the model may know of it."""
    parts: list[Text | Image] = []
    for part in decode_blocks(block.get("content") or (), f"{path}.content", notes):
        if isinstance(part, Text | Image):
            parts.append(part)
            continue
        word = str(part.value["type"]) if isinstance(part, Opaque) else type(part).__name__.lower()
        if not isinstance(part, Opaque):
            notes.append(Note(f"{path}.content", f"a {word} in a tool result was left out"))
        parts.append(Text(text=_LEFT_OUT.format(word)))
    return ToolResult(call_id=block["tool_use_id"], parts=tuple(parts), is_error=bool(block.get("is_error")))


# --- encode -------------------------------------------------------------------------------------------------------


def encode_blocks(parts: Sequence[Part]) -> list[Block]:
    """An empty text stands only where nothing else does: Anthropic refuses empty blocks."""
    is_alone = len(parts) == 1
    return [block for part in parts if is_alone or not _is_empty(part) for block in _encode_part(part)]


def _is_empty(part: Part) -> bool:
    return isinstance(part, Text) and not part.text


def encode_content(parts: Sequence[Part]) -> Json:
    """One text alone as a string, anything else as a list of blocks."""
    blocks = encode_blocks(parts)
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} else blocks


def _encode_part(part: Part) -> Iterator[Block]:
    match part:
        case Text() | Refusal():
            yield {"type": "text", "text": part.text}
        case Image():
            yield encode_image(part)
        case File():
            yield _encode_file(part)
        case Reasoning():
            yield from encode_reasoning(part.text, part.seals)
        case ToolCall():
            yield {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments_object(part.arguments)}
        case ToolResult():
            yield _encode_result(part)
        case Opaque() if part.protocol == PROTOCOL:
            yield dict(part.value)
        case Audio() | Opaque():
            pass  # nothing in Messages says it


def encode_image(image: Image) -> Block:
    if image.data:
        return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
    return {"type": "image", "source": {"type": "url", "url": image.url}}


def encode_reasoning(text: str, seals: Mapping[str, str]) -> Iterator[Block]:
    """What may not be read has a block of its own; thinking is always signed, if with nothing."""
    if text or SIGNATURE in seals or REDACTED not in seals:
        yield {"type": "thinking", "thinking": text, SIGNATURE: seals.get(SIGNATURE, "")}
    if REDACTED in seals:
        yield {"type": "redacted_thinking", "data": seals[REDACTED]}


def _encode_file(file: File) -> Block:
    source: dict[str, Any]
    if file.file_id:
        source = {"type": "file", "file_id": file.file_id}
    elif file.url:
        source = {"type": "url", "url": file.url}
    else:
        source = {"type": "base64", "media_type": file.media_type or "application/pdf", "data": file.data}
    return {"type": "document", "source": source} | ({"title": file.name} if file.name else {})


def _encode_result(result: ToolResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": result.call_id}
    if result.parts:
        block["content"] = encode_content(result.parts)
    if result.is_error:
        block["is_error"] = True
    return block
