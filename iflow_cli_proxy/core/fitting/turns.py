"""The turns of a conversation as an upstream takes them: where a system message may stand, texts in a row as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from iflow_cli_proxy.core.fitting.parts import BETWEEN, text_of
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Message,
    Part,
    Role,
    Text,
    ToolResult,
)


def with_early_system(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Where only one system message is taken, and only as the first: those at the beginning are one, and a later one
    becomes a reminder in a user's turn."""
    if profile.late_system is not False:
        return request
    messages = list(request.messages)
    begin = leading(messages)
    for at, message in enumerate(messages[begin:], begin):
        if message.role is Role.SYSTEM:
            notes.append(Note(f"messages[{at}]", "the upstream takes no late system message; it is a user's reminder"))
            text = f"<system-reminder>\n{text_of(message.parts)}\n</system-reminder>"
            messages[at] = Message(role=Role.USER, parts=(Text(text=text),))
    if begin > 1:
        parts = tuple(part for message in messages[:begin] for part in message.parts)
        messages[:begin] = [msgspec.structs.replace(messages[0], parts=parts)]
    return msgspec.structs.replace(request, messages=tuple(messages))


def leading(messages: Sequence[Message]) -> int:
    """How many system messages stand before all others."""
    return next((at for at, one in enumerate(messages) if one.role is not Role.SYSTEM), len(messages))


def plainer(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Several texts in a row as one: many servers take lists of parts from users only, some from nobody."""
    return msgspec.structs.replace(request, messages=tuple(_plain(message) for message in request.messages))


def _plain(message: Message) -> Message:
    parts: list[Part] = [_plain_result(part) if isinstance(part, ToolResult) else part for part in message.parts]
    if message.role is Role.ASSISTANT:
        parts = _with_one_text(parts)
    parts = list(_joined(parts))
    is_same = len(parts) == len(message.parts) and all(
        new is old for new, old in zip(parts, message.parts, strict=True)
    )
    return message if is_same else msgspec.structs.replace(message, parts=tuple(parts))


def _plain_result(result: ToolResult) -> ToolResult:
    parts = tuple(_joined(result.parts))
    return result if len(parts) == len(result.parts) else msgspec.structs.replace(result, parts=parts)


def _with_one_text(parts: list[Part]) -> list[Part]:
    """What an assistant said before and after its calls: Chat Completions has one place for it."""
    texts = [part.text for part in parts if isinstance(part, Text) and part.text]
    if len(texts) < 2:
        return parts
    first = next(at for at, part in enumerate(parts) if isinstance(part, Text) and part.text)
    rest = [part for part in parts[first:] if not isinstance(part, Text)]
    before = [part for part in parts[:first] if not isinstance(part, Text)]
    return [*before, Text(text=BETWEEN.join(texts)), *rest]


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    texts: list[Text] = []
    for part in parts:
        if isinstance(part, Text):
            texts += [part] if part.text else []
            continue
        yield from _as_one(texts)
        texts = []
        yield part
    yield from _as_one(texts)


def _as_one(texts: list[Text]) -> list[Text]:
    return texts if len(texts) < 2 else [Text(text=BETWEEN.join(text.text for text in texts))]
