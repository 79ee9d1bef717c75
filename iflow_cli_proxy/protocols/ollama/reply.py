"""Whole Ollama answers of both forms: checked, read as Reply, and written from one.

An answer has one text, one thinking and one list of calls: the order of parts within it does not survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart
from iflow_cli_proxy.core.instants import instant, rfc3339
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.ollama.request import GENERATE
from iflow_cli_proxy.protocols.ollama.stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.ollama.usage import decode_usage, encode_usage
from iflow_cli_proxy.protocols.ollama.wire import (
    MODELLED_ANSWER,
    PROTOCOL,
    Answer,
    AnswerCall,
    AnswerMessage,
    decode_answer,
)
from iflow_cli_proxy.protocols.whole_calls import arguments_object, arguments_text

_NANOSECONDS: Final = 1_000_000_000


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    answer, _ = _checked(body, judge, failing_words)
    return decode_usage(answer.prompt_eval_count, answer.eval_count)


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    answer, plain = _checked(body, judge, failing_words)
    parts = _decode_parts(answer.as_message() or AnswerMessage())
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in parts)
    end = decode_stop(answer.done_reason or "stop", has_calls=has_calls) if answer.done else None
    extras = unmodelled(plain)
    choice = Choice(
        parts=parts,
        reason=end.reason if end else None,
        word=end.word if end else "",
        extras={PROTOCOL: extras} if extras else {},
    )
    usage = decode_usage(answer.prompt_eval_count, answer.eval_count)
    return Reply(**decode_head(answer), choices=(choice,), usage=usage)


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> tuple[Answer, dict[str, Json]]:
    try:
        plain = jsonx.decode_strict(body)
        answer = decode_answer(body)
    except JsonError as error:
        raise judged(body, judge) from error
    if answer.error or answer.as_message() is None:
        raise judged(body, judge)
    if answer.done_reason in failing_words:
        raise reported_failure(answer.done_reason or "", body, judge)
    return answer, plain


class Head(TypedDict):
    model: str
    created: int


def decode_head(answer: Answer) -> Head:
    """What Reply and Started have in common."""
    created = instant(answer.created_at) if isinstance(answer.created_at, str) else None
    return Head(model=answer.model or "", created=int(created or 0))


def unmodelled(plain: Mapping[str, Json]) -> dict[str, Json]:
    """Fields that we have no word for."""
    return {name: value for name, value in plain.items() if name not in MODELLED_ANSWER and value is not None}


def _decode_parts(message: AnswerMessage) -> tuple[ReplyPart, ...]:
    parts = []
    if message.thinking:
        parts.append(ReplyPart(kind=PartKind.REASONING, text=message.thinking))
    if message.content:
        parts.append(ReplyPart(kind=PartKind.TEXT, text=message.content))
    for call in message.tool_calls or ():
        parts.append(
            ReplyPart(kind=PartKind.TOOL_CALL, id=call.id or "", name=call.function.name, text=arguments_of(call))
        )
    return tuple(parts)


def arguments_of(call: AnswerCall) -> str:
    found = call.function.arguments
    return found if isinstance(found, str) else arguments_text(found)


# --- encode -------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, options: EncodeOptions, flavor: str) -> bytes:
    """Of several answers the first."""
    choice = reply.choices[0] if reply.choices else Choice()
    body = encode_head(reply.model or options.model, reply.created or options.created)
    body |= _encode_matter(choice.parts, flavor, reply.id or options.id, shows_thinking(options.asked))
    body |= {"done": True}
    if choice.reason is not None:
        body["done_reason"] = encode_stop(choice.reason, choice.word)
    body |= encode_durations(options, None)
    if reply.usage is not None:
        body |= encode_usage(reply.usage)
    return jsonx.encode(body | dict(reply.extras.get(PROTOCOL, {})) | dict(choice.extras.get(PROTOCOL, {})))


def shows_thinking(asked: Mapping[str, Json]) -> bool:
    """Models that think are shown thinking, unless they were told not to."""
    return asked.get("think") is not False


def encode_head(model: str, created: int) -> dict[str, Json]:
    return {"model": model, "created_at": rfc3339(created)}


def encode_durations(options: EncodeOptions, prompt_s: float | None) -> dict[str, Json]:
    """In nanoseconds, as far as somebody measured: until the first content, after it, and both.

    Loading is no matter of ours; what Ollama has not measured it leaves out, too.
    """
    if options.elapsed_s is None:
        return {}
    total_s = options.elapsed_s()
    prompt_s = min(prompt_s or 0.0, total_s)
    return {
        "total_duration": int(total_s * _NANOSECONDS),
        "prompt_eval_duration": int(prompt_s * _NANOSECONDS),
        "eval_duration": int((total_s - prompt_s) * _NANOSECONDS),
    }


def _encode_matter(parts: tuple[ReplyPart, ...], flavor: str, answer_id: str, is_open: bool) -> dict[str, Json]:
    text = "".join(part.text for part in parts if part.kind in (PartKind.TEXT, PartKind.REFUSAL))
    thinking = "".join(part.text for part in parts if part.kind is PartKind.REASONING) if is_open else ""
    asked = [part for part in parts if part.kind is PartKind.TOOL_CALL]
    calls = [
        encode_call(number, part.id or stand_in_id(answer_id, number), part.name, part.text)
        for number, part in enumerate(asked)
    ]
    beside = ({"thinking": thinking} if thinking else {}) | ({"tool_calls": calls} if calls else {})
    if flavor == GENERATE:
        return {"response": text, **beside}
    return {"message": {"role": "assistant", "content": text, **beside}}


def encode_call(number: int, call_id: str, name: str, arguments: str) -> dict[str, Json]:
    return {"id": call_id, "function": {"index": number, "name": name, "arguments": arguments_object(arguments)}}


def stand_in_id(answer_id: str, number: int) -> str:
    """For a call that came without an id: made from the answer's, so that two turns never give the same."""
    unique = "".join(char for char in answer_id if char.isascii() and char.isalnum())
    return f"call_{unique[-24:]}_{number}"
