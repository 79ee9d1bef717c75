"""Whole Messages answers: checked, read as Reply, and written from one. There is one answer, never several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart, StopReason
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.blocks import REDACTED, SIGNATURE, encode_reasoning
from iflow_cli_proxy.protocols.anthropic.identity import call_id, message_id
from iflow_cli_proxy.protocols.anthropic.stop import decode_stop, encode_stop, hit_sequence
from iflow_cli_proxy.protocols.anthropic.usage import decode_usage, encode_usage, estimated
from iflow_cli_proxy.protocols.anthropic.wire import (
    MODELLED_MESSAGE,
    PROTOCOL,
    Block,
    WireReply,
    WireReplyBlock,
    decode_whole,
)
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.whole_calls import arguments_object, arguments_text


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    answer, _ = _checked(body, judge, failing_words)
    return decode_usage(answer.usage)


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    answer, plain = _checked(body, judge, failing_words)
    extras = unmodelled(plain)
    end = decode_stop(answer.stop_reason, answer.stop_sequence or "") if answer.stop_reason else None
    choice = Choice(
        parts=tuple(_decode_parts(answer.content)),
        reason=end.reason if end else None,
        stop_sequence=end.stop_sequence if end else "",
        word=end.word if end else "",
    )
    return Reply(
        id=answer.id or "",
        model=answer.model or "",
        choices=(choice,),
        usage=decode_usage(answer.usage),
        extras={PROTOCOL: extras} if extras else {},
    )


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> tuple[WireReply, dict[str, Json]]:
    """A good answer, in our shape and in its own."""
    try:
        plain = jsonx.decode_strict(body)
        answer = decode_whole(body)
    except JsonError as error:
        raise judged(body, judge) from error
    if answer.error:
        raise judged(body, judge)
    if answer.stop_reason in failing_words:
        raise reported_failure(answer.stop_reason or "", body, judge)
    return answer, plain


def unmodelled(message: Mapping[str, Json]) -> dict[str, Json]:
    """Fields of an answer that we have no word for."""
    return {name: value for name, value in message.items() if name not in MODELLED_MESSAGE and value is not None}


def _decode_parts(blocks: Iterable[WireReplyBlock]) -> Iterator[ReplyPart]:
    """Blocks with nothing in them, and those of Anthropic's own tools, are no parts."""
    for block in blocks:
        match block.type:
            case "text" if block.text:
                yield ReplyPart(kind=PartKind.TEXT, text=block.text)
            case "thinking" if block.thinking or block.signature:
                seals = {SIGNATURE: block.signature} if block.signature else {}
                yield ReplyPart(kind=PartKind.REASONING, text=block.thinking or "", seals=seals)
            case "redacted_thinking" if block.data:
                yield ReplyPart(kind=PartKind.REASONING, seals={REDACTED: block.data})
            case "tool_use":
                text = arguments_text(block.input)
                yield ReplyPart(kind=PartKind.TOOL_CALL, text=text, id=block.id or "", name=block.name or "")
            case _:
                pass


# --- encode -------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, options: EncodeOptions) -> bytes:
    choice = reply.choices[0] if reply.choices else Choice()
    answer_id = message_id(reply.id, options.id)
    content = list(_encode_parts(choice.parts, answer_id))
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in choice.parts)
    characters = sum(len(part.text) for part in choice.parts)
    hit = hit_sequence(choice.stop_sequence, options.asked)
    reason = StopReason.END_TURN if choice.reason is StopReason.STOP_SEQUENCE and not hit else choice.reason
    body: dict[str, Json] = {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model or options.model,
        "content": content,
        "stop_reason": encode_stop(reason, choice.word, has_calls=has_calls),
        "stop_sequence": hit or None,
        "usage": encode_usage(reply.usage or estimated(options.prompt_tokens, characters)),
    }
    return jsonx.encode(body | dict(reply.extras.get(PROTOCOL, {})) | dict(choice.extras.get(PROTOCOL, {})))


def _encode_parts(parts: Iterable[ReplyPart], answer_id: str) -> Iterator[Block]:
    calls = 0
    for part in parts:
        match part.kind:
            case PartKind.TEXT | PartKind.REFUSAL if part.text:
                yield {"type": "text", "text": part.text}
            case PartKind.REASONING if part.text or part.seals.keys() & {SIGNATURE, REDACTED}:
                yield from encode_reasoning(part.text, part.seals)
            case PartKind.TOOL_CALL:
                given = part.id or call_id(answer_id, calls)
                calls += 1
                yield {"type": "tool_use", "id": given, "name": part.name, "input": arguments_object(part.text)}
            case _:
                pass
