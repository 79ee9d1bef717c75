"""A conversation made shorter by its oldest rounds, so that it fits the window of its model.

A round is one answer of the model with what was said to it before and the results of its calls after. System prompts
stay, calls and their results go together, the last rounds stay, and what is left never begins with an answer: the
question it belongs to stays too. Refuses to know models and protocols; tokens are estimated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import (
    Audio,
    ChatRequest,
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
from iflow_cli_proxy.core.usage import estimate_tokens

IMAGE_TOKENS: Final = 1000
"""About what a picture costs where it is counted in tiles, whatever its bytes."""
_STEP_ROUNDS: Final = 4
_MESSAGE_BYTES: Final = 16
"""What a template puts around a message: about four tokens."""


class Compressed(msgspec.Struct, frozen=True):
    request: ChatRequest
    removed: int
    """Messages."""
    tokens: int
    """About what they were."""

    @property
    def summary(self) -> str:
        """For a response header."""
        noun = "message" if self.removed == 1 else "messages"
        return f"removed={self.removed} {noun}, about {self.tokens} tokens"


def compress(request: ChatRequest, *, room_tokens: int, keep_rounds: int) -> Compressed | None:
    """`request` without as many of its oldest rounds as must go, None when none must or none can.

    `room_tokens` is what the prompt may have; 0 when nobody knows, then only the last `keep_rounds` rounds stay. It may
    still be too long afterwards.
    """
    messages = request.messages
    weights = [_message_tokens(message) for message in messages]
    excess = sum(weights) + _tools_tokens(request) - room_tokens
    if excess <= 0:
        return None
    cut = _cut(messages, weights, excess, keep_rounds)
    if cut is None:
        return None
    gone = cut.gone(messages)
    kept = tuple(message for at, message in enumerate(messages) if at not in gone)
    return Compressed(
        request=msgspec.structs.replace(request, messages=kept),
        removed=len(gone),
        tokens=sum(weights[at] for at in gone),
    )


# --- rounds -------------------------------------------------------------------------------------------------------


class _Cut(msgspec.Struct, frozen=True):
    """Everything before the message `at` goes, except `question`, which what then comes first is about."""

    at: int
    question: range

    def gone(self, messages: Sequence[Message]) -> set[int]:
        return {at for at in range(self.at) if at not in self.question and messages[at].role is not Role.SYSTEM}


def _cut(messages: Sequence[Message], weights: Sequence[int], excess: int, keep_rounds: int) -> _Cut | None:
    """The first that frees `excess`, or the last there is; in steps, so that the next turns of a long conversation are
    cut at the same place and begin with what the upstream's cache knows."""
    movable = (0 if messages[at].role is Role.SYSTEM else weight for at, weight in enumerate(weights))
    before = list(accumulate(movable, initial=0))
    cut: _Cut | None = None
    for number, cut in enumerate(_cuts(messages, keep_rounds), start=1):
        kept = before[cut.question.stop] - before[cut.question.start]
        if number % _STEP_ROUNDS == 0 and before[cut.at] - kept >= excess:
            break
    return cut


def _cuts(messages: Sequence[Message], keep_rounds: int) -> Iterator[_Cut]:
    """Where the conversation may begin instead, nearest first."""
    beginnings = _beginnings(messages)
    question = range(0)
    for at in beginnings[: max(0, len(beginnings) - keep_rounds) + 1]:
        is_question = _is_question(messages[at])
        if at != beginnings[0]:
            yield _Cut(at, range(0) if is_question else question)
        if is_question:
            question = _question_at(at, messages)


def _beginnings(messages: Sequence[Message]) -> list[int]:
    """The number of the first message of each round."""
    found: list[int] = []
    made_at: dict[str, int] = {}
    """Call id to the number of the message that made it last."""
    before: Message | None = None
    for at, message in enumerate(messages):
        if message.role is Role.SYSTEM:
            continue
        answers = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        if not found or (not answers and _begins(message, before)):
            found.append(at)
        for call_id in answers:
            while call_id in made_at and found[-1] > made_at[call_id]:
                found.pop()  # a call and its result go together, with all that is between them
        made_at |= {part.id: at for part in message.parts if isinstance(part, ToolCall)}
        before = message
    return found


def _begins(message: Message, before: Message | None) -> bool:
    """An answer belongs to the question before it, and so does one question to another; else it is a new round."""
    is_after_question = before is not None and _is_question(before)
    return message.role in (Role.USER, Role.ASSISTANT) and not is_after_question


def _is_question(message: Message) -> bool:
    return message.role is Role.USER and not any(isinstance(part, ToolResult) for part in message.parts)


def _question_at(at: int, messages: Sequence[Message]) -> range:
    """From `at` on everything the person says before the model answers."""
    end = at
    while end < len(messages) and (messages[end].role is Role.SYSTEM or _is_question(messages[end])):
        end += 1
    return range(at, end)


# --- tokens -------------------------------------------------------------------------------------------------------


def prompt_tokens(request: ChatRequest) -> int:
    """About what the whole prompt costs."""
    return sum(_message_tokens(message) for message in request.messages) + _tools_tokens(request)


def _tools_tokens(request: ChatRequest) -> int:
    written = (
        _bytes(f"{tool.name}{tool.description}") + (len(jsonx.encode(tool.parameters)) if tool.parameters else 0)
        for tool in request.tools
    )
    return estimate_tokens(sum(written))


def _message_tokens(message: Message) -> int:
    return estimate_tokens(_MESSAGE_BYTES + _bytes_of(message.parts)) + IMAGE_TOKENS * _pictures(message.parts)


def _bytes_of(parts: Iterable[Part]) -> int:
    return sum(_part_bytes(part) for part in parts)


def _part_bytes(part: Part) -> int:
    match part:
        case Text() | Refusal() | Reasoning():
            return _bytes(part.text)
        case ToolCall():
            return _bytes(part.name) + _bytes(part.arguments)
        case ToolResult():
            return _bytes_of(part.parts)
        case Audio() | File():
            return len(part.data)
        case Opaque():
            return len(jsonx.encode(part.value))
        case Image():
            return 0


def _pictures(parts: Iterable[Part]) -> int:
    return sum(
        isinstance(part, Image) or (_pictures(part.parts) if isinstance(part, ToolResult) else 0) for part in parts
    )


def _bytes(text: str) -> int:
    """UTF-8 bytes, four of which are about a token in Latin as well as in Chinese writing."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
