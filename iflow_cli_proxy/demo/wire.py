"""The demo's answers as bytes: one completion, or the frames of a stream, the way iFlow writes them.

Frames are `data:{...}` without a space, reasoning comes before text, usage stands in the last chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo.answers import Answer, ToolCall
from iflow_cli_proxy.demo.question import Question

DONE: Final = b"data:[DONE]\n\n"
_PIECES: Final = re.compile(r"[\u3000-\u9fff\uff00-\uffef]{1,3}|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+")
_ARGUMENT_CHARS: Final = 12


def completion(question: Question, answers: Sequence[Answer], *, id: str, created: int, wishes: str = "") -> Json:
    """A whole `chat.completion`; `wishes` names a fault of the answer itself."""
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": question.model,
        "choices": [_choice(index, one, wishes) for index, one in enumerate(answers)],
        **_usage_field(question, answers, wishes),
    }


def frames(
    question: Question, answers: Sequence[Answer], *, id: str, created: int, wishes: str = ""
) -> Iterator[bytes]:
    """The same as a stream, choices side by side, with the end mark."""
    head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": question.model}
    running = [_deltas(index, one, wishes) for index, one in enumerate(answers)]
    while running:
        for choice in list(running):
            delta = next(choice, None)
            if delta is None:
                running.remove(choice)
            else:
                yield frame({**head, "choices": [delta]})
    if question.wants_usage and wishes != "no_usage":
        yield frame({**head, "choices": [], **_usage_field(question, answers, wishes)})
    yield DONE


def frame(value: Json) -> bytes:
    return b"data:" + jsonx.encode(value) + b"\n\n"


def _deltas(index: int, one: Answer, wishes: str) -> Iterator[Json]:
    reasoning, text = _spoken(one, wishes)
    role: dict[str, Any] = {"role": "assistant"}
    for piece in _PIECES.findall(reasoning):
        yield _delta(index, {**role, "reasoning_content": piece})
        role = {}
    for piece in _PIECES.findall(text) or ([""] if role and not one.tool_calls else []):
        yield _delta(index, {**role, "content": piece})
        role = {}
    for place, call in enumerate(one.tool_calls):
        for delta in _call_deltas(place, call, wishes):
            yield _delta(index, {**role, "tool_calls": [delta]})
            role = {}
    yield {"index": index, "delta": {}, "finish_reason": one.stop_word}


def _delta(index: int, delta: Json) -> Json:
    return {"index": index, "delta": delta, "finish_reason": None}


def _call_deltas(place: int, call: ToolCall, wishes: str) -> Iterator[Json]:
    named = {} if wishes == "no_ids" else {"id": call.id}
    yield {"index": place, **named, "type": "function", "function": {"name": call.name, "arguments": ""}}
    for start in range(0, len(call.arguments), _ARGUMENT_CHARS):
        yield {"index": place, "function": {"arguments": call.arguments[start : start + _ARGUMENT_CHARS]}}


def _choice(index: int, one: Answer, wishes: str) -> Json:
    reasoning, text = _spoken(one, wishes)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning:
        message["reasoning_content"] = reasoning
    if one.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in one.tool_calls
        ]
    stop_word = "network_error" if wishes == "network_error" else one.stop_word
    return {"index": index, "message": message, "finish_reason": stop_word}


def _spoken(one: Answer, wishes: str) -> tuple[str, str]:
    """Reasoning and text; some models put the one into the other, in tags."""
    if wishes == "think_tags" and one.reasoning:
        return "", f"<think>{one.reasoning}</think>{one.text}"
    return one.reasoning, one.text


def _usage_field(question: Question, answers: Sequence[Answer], wishes: str) -> dict[str, Json]:
    if wishes == "no_usage":
        return {}
    sent = 0 if wishes == "usage_zero" else question.prompt_tokens
    made = 0 if wishes == "usage_zero" else sum(one.tokens for one in answers)
    return {"usage": {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}}
