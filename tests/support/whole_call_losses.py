"""What does not survive a trip through Gemini's protocol or Ollama's, which show a call only when it is whole.

Streams are compared in a normal form: one part after the other, each in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core.assemble import Assembler, disassemble
from iflow_cli_proxy.core.events import (
    Choice,
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    ReplyPart,
    Sealed,
    StopReason,
)
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.whole_calls import arguments_object, arguments_text

GEMINI: Final = (
    "a missing tool-call id is made up",
    "parts that overlap come one after the other, in the order in which they began, and a call in one piece",
    "where one text ended and the next began; parts without text, thinking without text or seals",
    "that a refusal is one: it becomes text",
    "how arguments were spaced, and arguments that are no object: they become a field of one",
    "which stop sequence was hit, and whether an answer with calls waits for them: it always does",
    "a missing stop reason, and one that is not among Gemini's",
    "the extras of other protocols; whether usage was estimated",
    "a failure's code; of a failed stream: calls not yet whole and what stood behind them, last seals, usage, extras",
)
OLLAMA: Final = (
    "every answer but the first",
    "the id of an answer; a missing tool-call id is made up",
    "parts that overlap come one after the other, in the order in which they began, and a call in one piece",
    "where one text ended and the next began; parts without text; in a whole answer: the order of parts",
    "that a refusal is one: it becomes text; every seal",
    "how arguments were spaced, and arguments that are no object: they become a field of one",
    "every stop reason but the token limit",
    "the extras of other protocols, and whether extras are the answer's or its one choice's",
    "how many tokens were cached or for thinking, and whether usage was estimated",
    "a failure's code and kind; of a failed stream: calls not yet whole and what stood behind them, usage, extras",
)
MADE_UP: Final = "(made up)"

_GEMINI_WORDS: Final = frozenset({"RECITATION", "MALFORMED_FUNCTION_CALL", "BLOCKLIST", "LANGUAGE"})
"""Of Gemini's own words those that stand in some test."""


def gemini_stream(events: Iterable[Event]) -> list[Event]:
    return _in_order(events, gemini_reply)


def gemini_reply(reply: Reply) -> Reply:
    usage = None if reply.usage is None else msgspec.structs.replace(reply.usage, is_estimated=False)
    return msgspec.structs.replace(
        reply,
        choices=tuple(_gemini_choice(choice) for choice in reply.choices),
        usage=usage,
        extras=_own(reply.extras, "gemini"),
    )


def ollama_stream(events: Iterable[Event]) -> list[Event]:
    out = _in_order(events, _ollama_answer)
    if isinstance(out[-1], Failed):
        out[-1] = Failed(kind="upstream_failing", message=out[-1].message)
    return out


def ollama_reply(reply: Reply) -> Reply:
    reply = _ollama_answer(reply)
    order = (PartKind.REASONING, PartKind.TEXT, PartKind.TOOL_CALL)
    (choice,) = reply.choices
    parts = _merged([part for kind in order for part in choice.parts if part.kind is kind])
    return msgspec.structs.replace(reply, choices=(msgspec.structs.replace(choice, parts=parts),))


# --- streams ------------------------------------------------------------------------------------------------------


def _in_order(events: Iterable[Event], losing: Callable[[Reply], Reply]) -> list[Event]:
    events = list(events)
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    reply, failure = assembler.reply(), assembler.failure
    if failure is None:
        return list(disassemble(losing(reply)))
    shown = tuple(Choice(parts=_shown(events, choice)) for choice in sorted(_choices(events)))
    reply = losing(Reply(id=reply.id, model=reply.model, created=reply.created, choices=shown))
    reply = msgspec.structs.replace(reply, choices=tuple(_unsealed(choice) for choice in reply.choices))
    told = [event for event in disassemble(reply) if not isinstance(event, ChoiceEnded | Ended)]
    return [*(told if len(told) > 1 else ()), Failed(kind=failure.kind, message=failure.message)]


def _choices(events: Iterable[Event]) -> set[int]:
    return {event.choice for event in events if isinstance(event, PartStarted)}


def _shown(events: Iterable[Event], choice: int) -> tuple[ReplyPart, ...]:
    """The parts of a choice up to the first call that never ended."""
    events = list(events)
    ended = {event.part for event in events if isinstance(event, PartEnded)}
    mine = [event for event in events if isinstance(event, PartStarted) and event.choice == choice]
    assembler = Assembler()
    numbers = {event.part for event in mine}
    for event in events:
        if isinstance(event, PartStarted | Delta | Sealed) and event.part in numbers:
            assembler.feed(event)
    (found,) = assembler.reply().choices
    unfinished = [event.kind is PartKind.TOOL_CALL and event.part not in ended for event in mine]
    return found.parts[: unfinished.index(True) if True in unfinished else None]


def _unsealed(choice: Choice) -> Choice:
    """Seals wait for the part after theirs."""
    parts = list(choice.parts)
    if parts and parts[-1].seals:
        last = parts.pop()
        parts += [msgspec.structs.replace(last, seals={})] if last.text else []
    return msgspec.structs.replace(choice, parts=tuple(parts))


# --- answers ------------------------------------------------------------------------------------------------------


def _gemini_choice(choice: Choice) -> Choice:
    parts = _merged([_plain(part, part.seals) for part in choice.parts])
    reason, word = choice.reason, choice.word if choice.word in _GEMINI_WORDS else ""
    if reason in (None, StopReason.END_TURN, StopReason.STOP_SEQUENCE, StopReason.TOOL_USE):
        reason, word = _natural(parts), ""
    return Choice(parts=parts, reason=reason, word=word, extras=_own(choice.extras, "gemini"))


def _ollama_answer(reply: Reply) -> Reply:
    choice = reply.choices[0] if reply.choices else Choice()
    parts = _merged([_plain(part, {}) for part in choice.parts])
    reason, word = choice.reason, choice.word
    if reason is StopReason.OTHER:
        word = word or "other"
    else:
        reason, word = StopReason.MAX_TOKENS if reason is StopReason.MAX_TOKENS else _natural(parts), ""
    extras = {**reply.extras.get("ollama", {}), **choice.extras.get("ollama", {})}
    counted = reply.usage
    return Reply(
        model=reply.model,
        created=reply.created,
        choices=(
            Choice(
                parts=parts,
                reason=reason,
                word=word,
                extras={"ollama": extras} if extras else {},
            ),
        ),
        usage=Usage(prompt=counted.prompt, completion=counted.completion) if counted else None,
    )


def _natural(parts: Iterable[ReplyPart]) -> StopReason:
    has_calls = any(part.kind is PartKind.TOOL_CALL for part in parts)
    return StopReason.TOOL_USE if has_calls else StopReason.END_TURN


def _plain(part: ReplyPart, seals: Any) -> ReplyPart:
    match part.kind:
        case PartKind.TOOL_CALL:
            text = arguments_text(arguments_object(part.text))
            return ReplyPart(kind=part.kind, text=text, id=part.id or MADE_UP, name=part.name)
        case PartKind.REASONING:
            return ReplyPart(kind=part.kind, text=part.text, seals=seals)
        case PartKind.TEXT | PartKind.REFUSAL:
            return ReplyPart(kind=PartKind.TEXT, text=part.text)


def _merged(parts: Iterable[ReplyPart]) -> tuple[ReplyPart, ...]:
    out: list[ReplyPart] = []
    for part in parts:
        is_call = part.kind is PartKind.TOOL_CALL
        if not is_call and not part.text and not part.seals:
            continue
        if out and not is_call and out[-1].kind is part.kind and not out[-1].seals:
            part = msgspec.structs.replace(part, text=out.pop().text + part.text)
        out.append(part)
    return tuple(out)


def _own(extras: Any, name: str) -> dict[str, Any]:
    return {name: extras[name]} if name in extras else {}
