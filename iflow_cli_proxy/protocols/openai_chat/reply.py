"""Whole Chat Completions answers: checked, read as Reply, and written from one.

A message has one text, one thinking and one list of calls: the order of parts within an answer does not survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_answer import decode_head
from iflow_cli_proxy.protocols.openai_chat.reasoning import text_of, thought_of
from iflow_cli_proxy.protocols.openai_chat.wire import (
    MODELLED_ANSWER,
    MODELLED_CHOICE,
    MODELLED_DELTA,
    PROTOCOL,
    WireAnswer,
    WireChoice,
    WireDelta,
    WireToolDelta,
    decode_answer,
)
from iflow_cli_proxy.protocols.openai_stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.openai_usage import decode_usage, encode_usage

_NULL: Final = "null"


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    answer, _ = _checked(body, judge, failing_words)
    return decode_usage(answer.usage)


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    answer, plain = _checked(body, judge, failing_words)
    extras = {name: value for name, value in plain.items() if name not in MODELLED_ANSWER and value is not None}
    pairs = list(zip(answer.choices or (), plain["choices"], strict=True))
    pairs.sort(key=lambda pair: pair[0].index or 0)
    return Reply(
        **decode_head(answer),
        choices=tuple(_decode_choice(*pair) for pair in pairs),
        usage=decode_usage(answer.usage),
        extras={PROTOCOL: extras} if extras else {},
    )


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> tuple[WireAnswer, dict[str, Json]]:
    """A good answer, in our shape and in its own. A body is read whole even if only to be passed on: see `F39`."""
    try:
        plain = jsonx.decode_strict(body)
        answer = decode_answer(body)
    except JsonError as error:
        raise judged(body, judge) from error
    if not answer.choices or answer.error:
        raise judged(body, judge)
    for choice in answer.choices:
        if choice.finish_reason in failing_words:
            raise reported_failure(choice.finish_reason or "", body, judge)
    return answer, plain


def _decode_choice(wire: WireChoice, plain: Mapping[str, Json]) -> Choice:
    message = wire.message or wire.delta or WireDelta()
    end = decode_stop(wire.finish_reason, wire.index or 0, stop_sequence_of(wire)) if wire.finish_reason else None
    extras = unmodelled(plain, plain.get("message") or plain.get("delta") or {})
    return Choice(
        parts=tuple(_decode_parts(message)),
        reason=end.reason if end else None,
        stop_sequence=end.stop_sequence if end else "",
        word=end.word if end else "",
        extras={PROTOCOL: extras} if extras else {},
    )


def unmodelled(choice: Mapping[str, Json], message: Mapping[str, Json]) -> dict[str, Json]:
    """Fields of a choice and of its message (under `message`) that we have no word for."""
    extras = {name: value for name, value in choice.items() if name not in MODELLED_CHOICE and value is not None}
    inner = {name: value for name, value in message.items() if name not in MODELLED_DELTA and value is not None}
    return extras | ({"message": inner} if inner else {})


def _decode_parts(message: WireDelta) -> list[ReplyPart]:
    parts = []
    thought = thought_of(message)
    if thought.text or thought.seals:
        parts.append(ReplyPart(kind=PartKind.REASONING, text=thought.text, seals=thought.seals))
    if said := text_of(message):
        parts.append(ReplyPart(kind=PartKind.TEXT, text=said))
    if message.refusal:
        parts.append(ReplyPart(kind=PartKind.REFUSAL, text=message.refusal))
    used: set[str] = set()
    for call in message.tool_calls or ():
        name = call.function.name if call.function else None
        call_id = "" if call.id in used else call.id or ""  # an id used twice would make one call of two
        used.add(call_id)
        parts.append(ReplyPart(kind=PartKind.TOOL_CALL, text=arguments_of(call), id=call_id, name=name or ""))
    return parts


def stop_sequence_of(wire: WireChoice) -> str:
    """Empty where nobody says it, or where it is a token's number."""
    found = wire.stop_reason or wire.matched_stop
    return found if isinstance(found, str) else ""


def arguments_of(call: WireToolDelta, *, is_first: bool = True) -> str:
    """The argument text of a call or of a piece of one; a text that is `null` from the first on is none."""
    found = call.function.arguments if call.function else None
    if isinstance(found, dict):
        return jsonx.encode(found).decode()
    return "" if found is None or (is_first and found == _NULL) else found


# --- encode -------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, options: EncodeOptions) -> bytes:
    body: dict[str, Any] = {
        "id": reply.id or options.id,
        "object": "chat.completion",
        "created": reply.created or options.created,
        "model": reply.model or options.model,
        "choices": [
            _encode_choice(index, choice, options.merges_reasoning, reply.id or options.id)
            for index, choice in enumerate(reply.choices)
        ],
        "usage": encode_usage(reply.usage),
    }
    return jsonx.encode(body | dict(reply.extras.get(PROTOCOL, {})))


def _encode_choice(index: int, choice: Choice, merges_reasoning: bool, answer_id: str) -> Json:
    extras = dict(choice.extras.get(PROTOCOL, {}))
    message = _encode_message(choice.parts, merges_reasoning, f"{answer_id}.{index}") | extras.pop("message", {})
    reason = None if choice.reason is None else encode_stop(choice.reason, choice.word)
    return {"index": index, "message": message, "finish_reason": reason} | extras


def _encode_message(parts: tuple[ReplyPart, ...], merges_reasoning: bool, answer_id: str) -> dict[str, Json]:
    texts: dict[PartKind, list[str]] = {kind: [] for kind in PartKind}
    for part in parts:
        texts[part.kind].append(part.text)
    reasoning, text = "".join(texts[PartKind.REASONING]), "".join(texts[PartKind.TEXT])
    if merges_reasoning:
        reasoning, text = "", "\n\n".join(piece for piece in (reasoning, text) if piece)
    asked = [part for part in parts if part.kind is PartKind.TOOL_CALL]
    calls = [encode_call(part.id or stand_in_id(answer_id, at), part.name, part.text) for at, part in enumerate(asked)]
    message: dict[str, Json] = {"role": "assistant", "content": text or (None if calls else "")}
    if reasoning:
        message["reasoning_content"] = reasoning
    for part in parts:
        if "signature" in part.seals and not merges_reasoning:
            message["signature"] = part.seals["signature"]
    if texts[PartKind.REFUSAL]:
        message["refusal"] = "".join(texts[PartKind.REFUSAL])
    if calls:
        message["tool_calls"] = calls
    return message


def encode_call(call_id: str, name: str, arguments: str) -> dict[str, Json]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def stand_in_id(answer_id: str, number: int) -> str:
    """For a call that came without an id: made from the answer's, so that two turns never give the same."""
    unique = "".join(char for char in answer_id if char.isascii() and char.isalnum())
    return f"call_{unique[-24:]}_{number}"
