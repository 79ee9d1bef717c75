"""Whole Completions answers: checked, read as Reply, and written from one.

There is only text here: refusals become text, thinking and calls are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Choice, PartKind, Reply, ReplyPart
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_answer import decode_head
from iflow_cli_proxy.protocols.openai_completions.request import prompt_of
from iflow_cli_proxy.protocols.openai_completions.wire import (
    MODELLED_ANSWER,
    PROTOCOL,
    WireAnswer,
    WireChoice,
    decode_answer,
)
from iflow_cli_proxy.protocols.openai_stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.openai_usage import decode_usage, encode_usage

SHOWN: Final = (PartKind.TEXT, PartKind.REFUSAL)
_ID: Final = "cmpl-"


def read_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
    answer, _ = _checked(body, judge, failing_words)
    return decode_usage(answer.usage)


def decode_reply(body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
    answer, plain = _checked(body, judge, failing_words)
    extras = extras_of(plain)
    choices = sorted(answer.choices or (), key=lambda choice: choice.index or 0)
    return Reply(
        **decode_head(answer),
        choices=tuple(_decode_choice(choice) for choice in choices),
        usage=decode_usage(answer.usage),
        extras={PROTOCOL: extras} if extras else {},
    )


def _checked(body: bytes, judge: Judge, failing_words: frozenset[str]) -> tuple[WireAnswer, dict[str, Json]]:
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


def _decode_choice(wire: WireChoice) -> Choice:
    end = decode_stop(wire.finish_reason, wire.index or 0) if wire.finish_reason else None
    return Choice(
        parts=(ReplyPart(kind=PartKind.TEXT, text=wire.text),) if wire.text else (),
        reason=end.reason if end else None,
        word=end.word if end else "",
    )


def extras_of(plain: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in plain.items() if name not in MODELLED_ANSWER and value is not None}


# --- encode -------------------------------------------------------------------------------------------------------


def encode_reply(reply: Reply, options: EncodeOptions) -> bytes:
    body: dict[str, Json] = {
        "id": answer_id(reply.id, options),
        "object": "text_completion",
        "created": reply.created or options.created,
        "model": reply.model or options.model,
        "choices": [_encode_choice(index, choice, options) for index, choice in enumerate(reply.choices)],
        "usage": encode_usage(reply.usage),
    }
    return jsonx.encode(body | dict(reply.extras.get(PROTOCOL, {})))


def _encode_choice(index: int, choice: Choice, options: EncodeOptions) -> Json:
    text = echoed(options) + _text_of(choice.parts)
    reason = None if choice.reason is None else encode_stop(choice.reason, choice.word)
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}


def _text_of(parts: Sequence[ReplyPart]) -> str:
    return "".join(part.text for part in parts if part.kind in SHOWN)


def echoed(options: EncodeOptions) -> str:
    """The prompt, for clients that want to see it before its continuation."""
    return prompt_of(options.asked) if options.asked.get("echo") else ""


def answer_id(given: str, options: EncodeOptions) -> str:
    source = given or options.id
    return source if not source.startswith("chatcmpl-") else _ID + source.removeprefix("chatcmpl-")
