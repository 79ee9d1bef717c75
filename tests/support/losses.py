"""What does not survive a trip through a protocol, written down once. A law holds up to this table and no further.

Every protocol has a function for streams and one for whole answers: given what went in, each answers what may be
expected to come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import of_kind
from iflow_cli_proxy.core.events import (
    Choice,
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    ReplyPart,
    Sealed,
    Started,
    UsageReported,
)
from iflow_cli_proxy.protocols.anthropic import errors as anthropic_errors
from iflow_cli_proxy.protocols.anthropic import stop as anthropic_stop
from iflow_cli_proxy.protocols.anthropic.identity import message_id
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_completions.reply import answer_id
from iflow_cli_proxy.protocols.openai_responses.ending import decode_ending, encode_ending
from iflow_cli_proxy.protocols.openai_responses.errors import decode_error as decode_response_error
from iflow_cli_proxy.protocols.openai_responses.errors import response_error
from iflow_cli_proxy.protocols.openai_responses.output import response_id
from iflow_cli_proxy.protocols.openai_responses.sealing import decode_seals, encode_seals
from iflow_cli_proxy.protocols.whole_calls import arguments_object, arguments_text
from tests.support import whole_call_losses

LOSSES: Final[Mapping[str, tuple[str, ...]]] = {
    "gemini": whole_call_losses.GEMINI,
    "ollama": whole_call_losses.OLLAMA,
    "openai_completions": (
        "everything but text: thinking, calls, seals; a refusal becomes text",
        "where one text ended and the next began",
        "an id in the form of a chat's",
        "only the last usage report is sent, at the end; whether it was estimated",
        "the extras of choices and of other protocols",
        "which stop sequence was hit",
        "a failure's own code where it says no more than its kind",
    ),
    "openai_responses": (
        "every answer but the first",
        "an id in another form than `resp_...`",
        "a missing tool-call id is made up, and missing arguments are `{}`",
        "pieces without text",
        "more than one seal of a part, and seals of anything but thinking",
        "only the last usage report is sent, at the end; whether it was estimated",
        "where extras stood, and those of a choice and of other protocols",
        "a stop sequence, and whether an answer with calls waits for them: it always does",
        "a failure's own code, and its kind where the table has no code for it",
    ),
    "anthropic": (
        "every answer but the first",
        "when an answer was made, and an id of another form",
        "a missing tool-call id is made up",
        "that a refusal is one: it becomes text",
        "parts that overlap come one after the other, in the order in which they began",
        "parts without text, thinking without text or seal, and pieces without text",
        "arguments that are blank or `null`; in a whole answer: how arguments were spaced, and text that is no object",
        "seals other than `signature` and `redacted`, seals of calls, and the extras of other protocols",
        "whether extras are the answer's or its one choice's, and where they stood",
        "only the last usage report is sent, at the end; whether it was estimated",
        "a stop reason nobody documented, and that an answer with calls ended its turn",
        "a failure's code, and its kind where two have one type",
    ),
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
OPTIONS_ID: Final = "chatcmpl-standin"
"""What stands in for an id where the laws encode."""


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


def anthropic_stream(events: Iterable[Event]) -> list[Event]:
    """Started, one Extra, the parts of the first answer in order, why it ended, usage, the end."""
    events = list(events)
    parts = _anthropic_parts(events)
    out: list[Event] = []
    if events and isinstance(events[0], Started):
        out.append(Started(id=message_id(events[0].id, OPTIONS_ID), model=events[0].model))
    fields: dict[str, object] = {}
    for event in events:
        if isinstance(event, Extra) and event.protocol == "anthropic" and event.choice <= 0:
            fields |= event.fields
    out += [Extra(protocol="anthropic", fields=fields)] if fields else []
    out += [event for part in parts for event in part]
    if isinstance(events[-1], Failed):
        return [*out, _anthropic_failure(events[-1])]
    has_calls = any(isinstance(event, PartStarted) and event.kind is PartKind.TOOL_CALL for event in out)
    out += [
        _anthropic_end(event, has_calls=has_calls)
        for event in events
        if isinstance(event, ChoiceEnded) and event.choice == 0
    ]
    usages = [event for event in events if isinstance(event, UsageReported)]
    return [*out, *usages[-1:], events[-1]]


def _anthropic_parts(events: Iterable[Event]) -> list[list[Event]]:
    parts: dict[int, list[Event]] = {}
    for event in events:
        match event:
            case PartStarted() if event.choice == 0:
                kind = PartKind.TEXT if event.kind is PartKind.REFUSAL else event.kind
                call_id = event.id or (MADE_UP if kind is PartKind.TOOL_CALL else "")
                parts[event.part] = [msgspec.structs.replace(event, kind=kind, id=call_id)]
            case Delta() if event.part in parts and event.text:
                parts[event.part].append(event)
            case Sealed() if event.part in parts and event.kind in ("signature", "redacted"):
                parts[event.part].append(event)
            case PartEnded() if event.part in parts:
                parts[event.part].append(event)
            case _:
                pass
    told = [part for part in parts.values() if _is_told(part)]
    return [[_numbered(event, number) for event in part] for number, part in enumerate(told)]


def _is_told(part: list[Event]) -> bool:
    has_matter = any(isinstance(event, Delta | Sealed) for event in part)
    return has_matter or (isinstance(part[0], PartStarted) and part[0].kind is PartKind.TOOL_CALL)


def _numbered(event: Event, number: int) -> Event:
    assert isinstance(event, PartStarted | Delta | Sealed | PartEnded)
    return msgspec.structs.replace(event, part=number)


def _anthropic_failure(event: Failed) -> Failed:
    error = anthropic_errors.decode_error(anthropic_errors.error_object(of_kind(event.kind, event.message)))
    assert error is not None
    return Failed(kind=error.kind, message=error.message)


def _anthropic_end(event: ChoiceEnded, *, has_calls: bool) -> ChoiceEnded:
    word = anthropic_stop.encode_stop(event.reason, event.word, has_calls=has_calls)
    return anthropic_stop.decode_stop(word, event.stop_sequence)


def anthropic_reply(reply: Reply) -> Reply:
    choice = reply.choices[0]
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in choice.parts)
    word = anthropic_stop.encode_stop(choice.reason, choice.word, has_calls=has_calls)
    end = anthropic_stop.decode_stop(word, choice.stop_sequence)
    parts = (_anthropic_part(part) for part in choice.parts)
    extras = {**reply.extras.get("anthropic", {}), **choice.extras.get("anthropic", {})}
    return Reply(
        id=message_id(reply.id, OPTIONS_ID),
        model=reply.model,
        choices=(
            Choice(
                parts=tuple(part for part in parts if part is not None),
                reason=end.reason,
                stop_sequence=end.stop_sequence,
                word=end.word,
            ),
        ),
        usage=reply.usage,
        extras={"anthropic": extras} if extras else {},
    )


def _anthropic_part(part: ReplyPart) -> ReplyPart | None:
    seals = {name: seal for name, seal in part.seals.items() if name in ("signature", "redacted")}
    match part.kind:
        case PartKind.TOOL_CALL:
            text = arguments_text(arguments_object(part.text))
            return ReplyPart(kind=part.kind, text=text, id=part.id or MADE_UP, name=part.name)
        case PartKind.REASONING:
            return msgspec.structs.replace(part, seals=seals) if part.text or seals else None
        case PartKind.TEXT | PartKind.REFUSAL:
            return ReplyPart(kind=PartKind.TEXT, text=part.text) if part.text else None


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


def openai_responses_stream(events: Iterable[Event]) -> list[Event]:
    """Started, the parts of the first answer as they came, one Extra, why it ended, usage, the end."""
    out: list[Event] = []
    parts: dict[int, _ResponsesPart] = {}
    end: ChoiceEnded | None = None
    usage: UsageReported | None = None
    fields: dict[str, object] = {}
    for event in events:
        match event:
            case Started():
                out.append(msgspec.structs.replace(event, id=response_id(event.id, OPTIONS_ID)))
            case PartStarted(choice=0):
                parts[event.part] = _ResponsesPart(event, len(parts))
                out.append(parts[event.part].started)
            case Delta() if event.part in parts and event.text:
                out.append(parts[event.part].more(event.text))
            case Sealed() if event.part in parts:
                parts[event.part].seals[event.kind] = parts[event.part].seals.get(event.kind, "") + event.value
            case PartEnded() if event.part in parts:
                out += parts[event.part].end()
            case ChoiceEnded(choice=0):
                end = event
            case UsageReported():
                usage = UsageReported(usage=msgspec.structs.replace(event.usage, is_estimated=False))
            case Extra(protocol="openai_responses", choice=-1):
                fields |= event.fields
            case Failed():
                error = decode_response_error({"error": response_error(of_kind(event.kind, event.message))})
                assert error is not None
                out.append(Failed(kind=error.kind, message=error.message))
            case Ended():
                out += [Extra(protocol="openai_responses", fields=fields)] if fields else []
                out.append(_responses_end(end, has_calls=any(part.is_call for part in parts.values())))
                out += [usage, event] if usage and usage.usage else [event]
            case _:
                pass
    return out


class _ResponsesPart:
    def __init__(self, started: PartStarted, number: int) -> None:
        self.is_call = started.kind is PartKind.TOOL_CALL
        call_id = started.id or (MADE_UP if self.is_call else "")
        self.started = msgspec.structs.replace(started, part=number, id=call_id)
        self.seals: dict[str, str] = {}
        self.has_text = False

    def more(self, text: str) -> Delta:
        self.has_text = True
        return Delta(part=self.started.part, text=text)

    def end(self) -> list[Event]:
        number = self.started.part
        missing = [self.more("{}")] if self.is_call and not self.has_text else []
        seals = _responses_seals(self.started.kind, self.seals)
        sealed = [Sealed(part=number, kind=kind, value=value) for kind, value in seals.items()]
        return [*missing, *sealed, PartEnded(part=number)]


def _responses_seals(kind: PartKind, seals: Mapping[str, str]) -> dict[str, str]:
    return decode_seals(encode_seals(seals) or "") if kind is PartKind.REASONING else {}


def _responses_end(end: ChoiceEnded | None, *, has_calls: bool) -> ChoiceEnded:
    ending = encode_ending(end.reason if end else None, end.word if end else "")
    return decode_ending(ending.status, ending.details, has_calls=has_calls)


def openai_responses_reply(reply: Reply) -> Reply:
    choice = reply.choices[0] if reply.choices else Choice()
    parts = tuple(
        msgspec.structs.replace(
            part,
            text=part.text or ("{}" if part.kind is PartKind.TOOL_CALL else ""),
            id=part.id or (MADE_UP if part.kind is PartKind.TOOL_CALL else ""),
            seals=_responses_seals(part.kind, part.seals),
        )
        for part in choice.parts
    )
    end = _responses_end(
        ChoiceEnded(reason=choice.reason, word=choice.word) if choice.reason else None,
        has_calls=any(part.kind is PartKind.TOOL_CALL for part in parts),
    )
    extras = {name: fields for name, fields in reply.extras.items() if name == "openai_responses"}
    return msgspec.structs.replace(
        reply,
        id=response_id(reply.id, OPTIONS_ID),
        choices=(Choice(parts=parts, reason=end.reason, word=end.word),),
        extras=extras,
    )


def openai_completions_stream(events: Iterable[Event]) -> list[Event]:
    """Started, one text for each answer, the ends, one usage, the end."""
    out: list[Event] = []
    parts: dict[int, int] = {}
    open_texts: dict[int, int] = {}
    """Choice to the number of its text."""
    usage: UsageReported | None = None
    count = 0
    for event in events:
        match event:
            case Started():
                out.append(msgspec.structs.replace(event, id=answer_id(event.id, EncodeOptions())))
            case PartStarted(kind=PartKind.TEXT | PartKind.REFUSAL):
                parts[event.part] = event.choice
            case Delta() if event.part in parts and event.text:
                choice = parts[event.part]
                if choice not in open_texts:
                    open_texts[choice], count = count, count + 1
                    out.append(PartStarted(part=open_texts[choice], kind=PartKind.TEXT, choice=choice))
                out.append(Delta(part=open_texts[choice], text=event.text))
            case ChoiceEnded():
                if event.choice in open_texts:
                    out.append(PartEnded(part=open_texts.pop(event.choice)))
                out.append(msgspec.structs.replace(event, stop_sequence=""))
            case UsageReported():
                usage = UsageReported(usage=msgspec.structs.replace(event.usage, is_estimated=False))
            case Extra(protocol="openai_completions", choice=-1):
                out.append(event)
            case Failed():
                out.append(Failed(kind=event.kind, message=event.message))
            case Ended():
                out += [PartEnded(part=part) for part in open_texts.values()]
                out += [usage, event] if usage else [event]
            case _:
                pass
    return out


def openai_completions_reply(reply: Reply) -> Reply:
    return msgspec.structs.replace(
        reply,
        id=answer_id(reply.id, EncodeOptions()),
        choices=tuple(_completions_choice(choice) for choice in reply.choices),
        extras={name: fields for name, fields in reply.extras.items() if name == "openai_completions"},
    )


def _completions_choice(choice: Choice) -> Choice:
    text = "".join(part.text for part in choice.parts if part.kind in (PartKind.TEXT, PartKind.REFUSAL))
    return Choice(
        parts=(ReplyPart(kind=PartKind.TEXT, text=text),) if text else (), reason=choice.reason, word=choice.word
    )


STREAM_LOSSES: Final[Mapping[str, Callable[[Iterable[Event]], list[Event]]]] = {
    "anthropic": anthropic_stream,
    "gemini": whole_call_losses.gemini_stream,
    "ollama": whole_call_losses.ollama_stream,
    "openai_chat": openai_chat_stream,
    "openai_completions": openai_completions_stream,
    "openai_responses": openai_responses_stream,
}
REPLY_LOSSES: Final[Mapping[str, Callable[[Reply], Reply]]] = {
    "anthropic": anthropic_reply,
    "gemini": whole_call_losses.gemini_reply,
    "ollama": whole_call_losses.ollama_reply,
    "openai_chat": openai_chat_reply,
    "openai_completions": openai_completions_reply,
    "openai_responses": openai_responses_reply,
}
