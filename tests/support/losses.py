"""What does not survive a trip through a protocol, written down once. A law holds up to this table and no further.

Every protocol has a function for streams and one for whole answers: given what went in, each answers what may be
expected to come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from iflow_cli_proxy.core.events import (
    Choice,
    Ended,
    Event,
    Extra,
    Failed,
    PartKind,
    PartStarted,
    Reply,
    ReplyPart,
    Sealed,
    UsageReported,
)

LOSSES: Final[Mapping[str, tuple[str, ...]]] = {
    "openai_chat": (
        "a missing tool-call id is made up",
        "only the last usage report is sent, at the end",
        "seals other than `signature`, and the extras of other protocols",
        "which stop sequence was hit",
        "a failure's own code where it says no more than its kind",
        "in a whole answer: the order of parts, and where one text ended and the next began",
        "more than one signature in an answer",
        "in a whole answer: parts without text, thinking without text or signature",
        "whether usage was estimated",
    ),
}

MADE_UP: Final = "(made up)"


def openai_chat_stream(events: Iterable[Event]) -> list[Event]:
    out: list[Event] = []
    usage: UsageReported | None = None
    for event in events:
        match event:
            case PartStarted(kind=PartKind.TOOL_CALL, id=""):
                out.append(msgspec.structs.replace(event, id=MADE_UP))
            case UsageReported():
                usage = event
            case Sealed() if event.kind != "signature":
                pass
            case Extra() if event.protocol != "openai_chat":
                pass
            case Failed():
                out.append(Failed(kind=event.kind, message=event.message))
            case Ended():
                out += [usage, event] if usage else [event]
            case _:
                out.append(event)
    return out


def openai_chat_reply(reply: Reply) -> Reply:
    choices = tuple(_openai_chat_choice(choice) for choice in reply.choices)
    return msgspec.structs.replace(reply, choices=choices, extras=_own(reply.extras))


def _openai_chat_choice(choice: Choice) -> Choice:
    parts = []
    for kind in (PartKind.REASONING, PartKind.TEXT, PartKind.REFUSAL):
        mine = [part for part in choice.parts if part.kind is kind]
        text = "".join(part.text for part in mine)
        seals = {name: seal for part in mine for name, seal in part.seals.items() if name == "signature"}
        if text or seals:
            parts.append(ReplyPart(kind=kind, text=text, seals=seals))
    for part in choice.parts:
        if part.kind is PartKind.TOOL_CALL:
            parts.append(msgspec.structs.replace(part, id=part.id or MADE_UP, seals={}))
    return msgspec.structs.replace(choice, parts=tuple(parts), stop_sequence="", extras=_own(choice.extras))


def _own(extras: Mapping[str, Mapping[str, object]]) -> dict[str, Mapping[str, object]]:
    return {name: fields for name, fields in extras.items() if name == "openai_chat"}


def with_made_up_ids(events: Iterable[Event], like: Iterable[Event]) -> list[Event]:
    """`events` with the ids covered that `like` has no word on, so that the two can be compared."""
    covered = {event.part for event in like if isinstance(event, PartStarted) and event.id == MADE_UP}
    return [
        msgspec.structs.replace(event, id=MADE_UP)
        if isinstance(event, PartStarted) and event.part in covered
        else event
        for event in events
    ]


def reply_with_made_up_ids(reply: Reply, like: Reply) -> Reply:
    """The same for a whole answer."""
    return msgspec.structs.replace(
        reply,
        choices=tuple(
            msgspec.structs.replace(
                choice,
                parts=tuple(
                    msgspec.structs.replace(part, id=MADE_UP) if other.id == MADE_UP else part
                    for part, other in zip(choice.parts, pattern.parts, strict=True)
                ),
            )
            for choice, pattern in zip(reply.choices, like.choices, strict=True)
        ),
    )


STREAM_LOSSES: Final[Mapping[str, Callable[[Iterable[Event]], list[Event]]]] = {"openai_chat": openai_chat_stream}
REPLY_LOSSES: Final[Mapping[str, Callable[[Reply], Reply]]] = {"openai_chat": openai_chat_reply}
