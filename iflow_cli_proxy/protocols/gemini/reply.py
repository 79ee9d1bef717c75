"""Whole Gemini answers: checked, read as Reply, and written from one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ContentFiltered, GatewayError
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.instants import instant, rfc3339
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.gemini.seals import decode_seals, encode_seals
from iflow_cli_proxy.protocols.gemini.settings import shows_thoughts
from iflow_cli_proxy.protocols.gemini.stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.gemini.usage import decode_usage, encode_usage
from iflow_cli_proxy.protocols.gemini.wire import (
    MODELLED_ANSWER,
    MODELLED_CANDIDATE,
    PROTOCOL,
    Answer,
    AnswerPart,
    Candidate,
    decode_answer,
)
from iflow_cli_proxy.protocols.heads import Head
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.whole_calls import arguments_object, arguments_text

_ROLE: Final = "model"


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    answer, _ = _checked(body, judge, failing_words)
    return decode_usage(answer.usage_metadata)


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    answer, plain = _checked(body, judge, failing_words)
    extras = unmodelled(plain, MODELLED_ANSWER)
    pairs = list(zip(answer.candidates or (), plain["candidates"], strict=True))
    pairs.sort(key=lambda pair: pair[0].index or 0)
    return Reply(
        **decode_head(answer),
        choices=tuple(_decode_candidate(*pair) for pair in pairs),
        usage=decode_usage(answer.usage_metadata),
        extras={PROTOCOL: extras} if extras else {},
    )


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> tuple[Answer, dict[str, Json]]:
    """A good answer, in our shape and in its own."""
    try:
        plain = jsonx.decode_strict(body)
        answer = decode_answer(body)
    except JsonError as error:
        raise judged(body, judge) from error
    if (failure := failure_of(answer, body, judge, failing_words)) is not None:
        raise failure
    if not answer.candidates:
        raise judged(body, judge)
    return answer, plain


def failure_of(answer: Answer, body: bytes, judge: Judge, failing_words: frozenset[str]) -> GatewayError | None:
    """What an answer, or a piece of one, says instead of answering."""
    if answer.error:
        return judged(body, judge)
    if not answer.candidates and answer.prompt_feedback and answer.prompt_feedback.block_reason:
        return ContentFiltered("The upstream's content filter refused the prompt.")
    for candidate in answer.candidates or ():
        if candidate.finish_reason in failing_words:
            return reported_failure(candidate.finish_reason or "", body, judge)
    return None


def decode_head(answer: Answer) -> Head:
    """What Reply and Started have in common."""
    created = instant(answer.create_time) if isinstance(answer.create_time, str) else None
    return Head(id=answer.response_id or "", model=answer.model_version or "", created=int(created or 0))


def unmodelled(values: Mapping[str, Json], modelled: frozenset[str]) -> dict[str, Json]:
    """Fields that we have no word for."""
    return {name: value for name, value in values.items() if name not in modelled and value is not None}


def _decode_candidate(wire: Candidate, plain: Mapping[str, Json]) -> Choice:
    parts = _decode_parts(wire.content.parts or () if wire.content else ())
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in parts)
    end = decode_stop(wire.finish_reason, wire.index or 0, has_calls=has_calls) if wire.finish_reason else None
    extras = unmodelled(plain, MODELLED_CANDIDATE)
    return Choice(
        parts=parts,
        reason=end.reason if end else None,
        word=end.word if end else "",
        extras={PROTOCOL: extras} if extras else {},
    )


def _decode_parts(wires: list[AnswerPart] | tuple[()]) -> tuple[ReplyPart, ...]:
    parts: list[ReplyPart] = []
    for wire in wires:
        seals = decode_seals(wire.thought_signature or "")
        kind = kind_of(wire)
        if seals and kind is not PartKind.REASONING:
            if not (parts and parts[-1].kind is PartKind.REASONING and not parts[-1].seals):
                parts.append(ReplyPart(kind=PartKind.REASONING))
            parts[-1] = ReplyPart(kind=PartKind.REASONING, text=parts[-1].text, seals=seals)
        if (call := wire.function_call) is not None:
            parts.append(ReplyPart(kind=kind, id=call.id or "", name=call.name, text=arguments_text(call.args)))
        elif wire.text or (seals and kind is PartKind.REASONING):
            is_more = bool(parts) and parts[-1].kind is kind and not parts[-1].seals
            text = (parts.pop().text if is_more else "") + (wire.text or "")
            parts.append(ReplyPart(kind=kind, text=text, seals=seals if kind is PartKind.REASONING else {}))
    return tuple(parts)


def kind_of(wire: AnswerPart) -> PartKind:
    if wire.function_call is not None:
        return PartKind.TOOL_CALL
    return PartKind.REASONING if wire.thought else PartKind.TEXT


# --- encode -------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, options: EncodeOptions) -> bytes:
    answer_id = reply.id or options.id
    is_open = shows_thoughts(options.asked)
    body: dict[str, Any] = {
        "candidates": [
            _encode_candidate(index, choice, answer_id, is_open) for index, choice in enumerate(reply.choices)
        ]
    }
    if reply.usage is not None:
        body["usageMetadata"] = encode_usage(reply.usage)
    body |= encode_head(answer_id, reply.model or options.model, reply.created or options.created)
    return jsonx.encode(body | dict(reply.extras.get(PROTOCOL, {})))


def encode_head(answer_id: str, model: str, created: int) -> dict[str, Json]:
    when = {"createTime": rfc3339(created)} if created else {}
    return {"modelVersion": model, **when, "responseId": answer_id}


def _encode_candidate(index: int, choice: Choice, answer_id: str, is_open: bool) -> Json:
    parts = list(_encode_parts(choice.parts, f"{answer_id}.{index}", is_open))
    word = encode_stop(choice.reason or StopReason.END_TURN, choice.word)
    candidate: dict[str, Json] = {"content": {"parts": parts, "role": _ROLE}, "index": index, "finishReason": word}
    return candidate | dict(choice.extras.get(PROTOCOL, {}))


def _encode_parts(parts: tuple[ReplyPart, ...], answer_id: str, is_open: bool) -> Iterator[dict[str, Json]]:
    """Seals go on the part after theirs, where clients keep them; thoughts themselves are seldom given back."""
    seals: dict[str, str] = {}
    calls = 0
    for part in parts:
        if part.kind is PartKind.REASONING:
            if seals:
                yield _seals_alone(seals, is_open)
            if part.text and is_open:
                yield {"text": part.text, "thought": True}
            seals = dict(part.seals)
            continue
        if part.kind is not PartKind.TOOL_CALL and not part.text:
            continue
        signature = encode_seals(seals | dict(part.seals))
        signed = {"thoughtSignature": signature} if signature else {}
        if part.kind is PartKind.TOOL_CALL:
            call_id = part.id or stand_in_id(answer_id, calls)
            calls += 1
            yield encode_call(call_id, part.name, part.text) | signed
        else:
            yield {"text": part.text} | signed
        seals = {}
    if seals:
        yield _seals_alone(seals, is_open)


def _seals_alone(seals: Mapping[str, str], is_open: bool) -> dict[str, Json]:
    """A part of their own, when none comes that could carry them."""
    return {"text": "", "thoughtSignature": encode_seals(seals)} | ({"thought": True} if is_open else {})


def encode_call(call_id: str, name: str, arguments: str) -> dict[str, Json]:
    return {"functionCall": {"id": call_id, "name": name, "args": arguments_object(arguments)}}


def stand_in_id(answer_id: str, number: int) -> str:
    """For a call that came without an id: made from the answer's, so that two turns never give the same."""
    unique = "".join(char for char in answer_id if char.isascii() and char.isalnum())
    return f"call_{unique[-24:]}_{number}"
