"""Items of an answer: written from its parts, and read as parts. Their ids are made of the answer's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core.events import PartKind, ReplyPart
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.openai_responses.ending import COMPLETED, INCOMPLETE
from iflow_cli_proxy.protocols.openai_responses.sealing import decode_seals, encode_seals
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames, unwrapped, wrapped

_ID: Final = "resp_"
_FOREIGN: Final = ("chatcmpl-", "req_", "cmpl-")
NO_ARGUMENTS: Final = "{}"
_BETWEEN_SUMMARIES: Final = "\n\n"
CALLS: Final = ("function_call", "custom_tool_call")
CONTENT: Final = {"output_text": (PartKind.TEXT, "text"), "refusal": (PartKind.REFUSAL, "refusal")}
"""Content parts of a message: which kind they are, and where their text stands."""


def response_id(given: str, ours: str) -> str:
    """The id of an answer: made of ours, which nobody has had, while an upstream may give the same id to every answer;
    what it gave only where there is none of ours."""
    source = ours or given
    for prefix in (_ID, *_FOREIGN):
        source = source.removeprefix(prefix)
    return _ID + ("".join(char for char in source if char.isascii() and char.isalnum()) or "0")


def item_id(answer_id: str, index: int, kind: PartKind, *, is_custom: bool = False) -> str:
    prefix = "ctc" if is_custom else _PREFIXES[kind]
    return f"{prefix}_{answer_id.removeprefix(_ID)}_{index}"


_PREFIXES: Final = {
    PartKind.TEXT: "msg",
    PartKind.REFUSAL: "msg",
    PartKind.REASONING: "rs",
    PartKind.TOOL_CALL: "fc",
}


def stand_in_call_id(answer_id: str, index: int) -> str:
    """For a call that came without an id."""
    return f"call_{answer_id.removeprefix(_ID)[-24:]}_{index}"


# --- encode -------------------------------------------------------------------------------------------------------


def encode_items(parts: Sequence[ReplyPart], answer_id: str, names: ToolNames, *, is_cut: bool = False) -> list[Json]:
    """`is_cut` says that the answer was not complete, and so its last item is not."""
    last = len(parts) - 1
    return [
        encode_item(part, index, answer_id, names, is_cut=is_cut and index == last) for index, part in enumerate(parts)
    ]


def encode_item(
    part: ReplyPart, index: int, answer_id: str, names: ToolNames, *, is_cut: bool = False
) -> dict[str, Json]:
    """One item for each part, complete unless it `is_cut`."""
    status = INCOMPLETE if is_cut else COMPLETED
    match part.kind:
        case PartKind.TOOL_CALL:
            return {**_encode_call(part, index, answer_id, names), "status": status}
        case PartKind.REASONING:
            return {
                "id": item_id(answer_id, index, part.kind),
                "type": "reasoning",
                "summary": [summary(part.text)] if part.text else [],
                "encrypted_content": encode_seals(part.seals),
            }
        case PartKind.TEXT | PartKind.REFUSAL:
            return {
                "id": item_id(answer_id, index, part.kind),
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": [content(part.kind, part.text)],
            }


def _encode_call(part: ReplyPart, index: int, answer_id: str, names: ToolNames) -> dict[str, Json]:
    tool = names.find(part.name)
    kind, matter = (
        ("custom_tool_call", {"input": unwrapped(part.text)})
        if tool.is_custom
        else ("function_call", {"arguments": part.text or NO_ARGUMENTS})
    )
    return {
        "id": item_id(answer_id, index, part.kind, is_custom=tool.is_custom),
        "type": kind,
        "status": COMPLETED,
        **matter,
        "call_id": part.id or stand_in_call_id(answer_id, index),
        "name": tool.name,
        **({"namespace": tool.namespace} if tool.namespace else {}),
    }


def content(kind: PartKind, text: str) -> dict[str, Json]:
    if kind is PartKind.REFUSAL:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def summary(text: str) -> dict[str, Json]:
    return {"type": "summary_text", "text": text}


# --- decode -------------------------------------------------------------------------------------------------------


def decode_output(output: Json) -> list[ReplyPart]:
    return [part for item in _objects(output) for part in decode_item(item)]


def decode_item(item: Mapping[str, Json]) -> Iterator[ReplyPart]:
    """The parts of one item; none for an item of a hosted tool."""
    match item.get("type"):
        case "message":
            for part in _objects(item.get("content")):
                kind, name = CONTENT.get(text_of(part, "type"), (None, ""))
                if kind is not None:
                    yield ReplyPart(kind=kind, text=text_of(part, name))
        case "reasoning":
            seals = decode_seals(text_of(item, "encrypted_content"))
            yield ReplyPart(kind=PartKind.REASONING, text=thinking_of(item), seals=seals)
        case "function_call" | "custom_tool_call":
            yield ReplyPart(
                kind=PartKind.TOOL_CALL,
                text=arguments_of(item),
                id=text_of(item, "call_id"),
                name=text_of(item, "name"),
            )
        case _:
            pass


def thinking_of(item: Mapping[str, Json]) -> str:
    """The thinking itself where the upstream shows it, else its summary."""
    open_text = "".join(text_of(part, "text") for part in _objects(item.get("content")))
    return open_text or _BETWEEN_SUMMARIES.join(text_of(part, "text") for part in _objects(item.get("summary")))


def arguments_of(item: Mapping[str, Json]) -> str:
    if item.get("type") == "custom_tool_call":
        return wrapped(text_of(item, "input"))
    return text_of(item, "arguments") or NO_ARGUMENTS


def text_of(holder: Mapping[str, Json], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _objects(values: Json) -> Iterator[dict[str, Json]]:
    return (value for value in (values if isinstance(values, list) else ()) if isinstance(value, dict))
