"""Events to Reply and Reply to events: a JSON answer is a stream that we collected, and the reverse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.usage import Usage


class _Part:
    __slots__ = ("kind", "seals", "started", "texts")

    def __init__(self, started: PartStarted) -> None:
        self.started = started
        self.texts: list[str] = []
        self.seals: dict[str, str] = {}

    def reply_part(self) -> ReplyPart:
        started = self.started
        return ReplyPart(
            kind=started.kind, text="".join(self.texts), id=started.id, name=started.name, seals=self.seals
        )


class Assembler:
    """Collects one stream; afterwards either `reply` or `failure` is set."""

    def __init__(self) -> None:
        self.failure: Failed | None = None
        self._started = Started()
        self._parts: dict[int, _Part] = {}
        self._ends: dict[int, ChoiceEnded] = {}
        self._usage: Usage | None = None
        self._extras: dict[int, dict[str, dict[str, Any]]] = {}

    @property
    def characters(self) -> int:
        """How much was said so far, reasoning and arguments of calls included."""
        return sum(len(text) for part in self._parts.values() for text in part.texts)

    @property
    def is_thinking(self) -> bool:
        """The part that began last is reasoning."""
        return bool(self._parts) and next(reversed(self._parts.values())).started.kind is PartKind.REASONING

    def feed(self, event: Event) -> None:
        match event:
            case Delta():
                self._parts[event.part].texts.append(event.text)
            case PartStarted():
                self._parts[event.part] = _Part(event)
            case Sealed():
                seals = self._parts[event.part].seals
                seals[event.kind] = seals.get(event.kind, "") + event.value
            case Started():
                self._started = event
            case ChoiceEnded():
                self._ends[event.choice] = event
            case UsageReported():
                self._usage = event.usage
            case Extra():
                self._keep(event)
            case Failed():
                self.failure = event
            case PartEnded() | Ended():
                pass

    def _keep(self, extra: Extra) -> None:
        """Of the whole answer the last word counts; lists within a choice (logprobs, annotations) come in pieces."""
        kept = self._extras.setdefault(extra.choice, {}).setdefault(extra.protocol, {})
        if extra.choice < 0:
            kept.update(extra.fields)
        else:
            _merge(kept, extra.fields)

    def reply(self) -> Reply:
        """What was collected so far."""
        indices = {part.started.choice for part in self._parts.values()} | self._ends.keys()
        started = self._started
        return Reply(
            id=started.id,
            model=started.model,
            created=started.created,
            choices=tuple(self._choice(index) for index in sorted(indices)),
            usage=self._usage,
            extras=self._extras.get(-1, {}),
        )

    def _choice(self, index: int) -> Choice:
        end = self._ends.get(index)
        return Choice(
            parts=tuple(part.reply_part() for part in self._parts.values() if part.started.choice == index),
            reason=end.reason if end else None,
            stop_sequence=end.stop_sequence if end else "",
            word=end.word if end else "",
            extras=self._extras.get(index, {}),
        )


def _merge(kept: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Add `fields` to `kept`, which owns every list and object in it down to where lists begin."""
    for name, value in fields.items():
        old = kept.get(name)
        if isinstance(value, dict):
            if not isinstance(old, dict):
                old = kept[name] = {}
            _merge(old, value)
        elif isinstance(value, list):
            if isinstance(old, list):
                old += value
            else:
                kept[name] = list(value)
        elif value is not None or name not in kept:
            kept[name] = value


def assemble(events: Iterable[Event]) -> Reply | Failed:
    """A whole stream as one Reply, or the failure it ended in."""
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return assembler.failure or assembler.reply()


def disassemble(reply: Reply) -> Iterator[Event]:
    """The events whose assembly is `reply`."""
    yield Started(id=reply.id, model=reply.model, created=reply.created)
    for protocol, fields in reply.extras.items():
        yield Extra(protocol=protocol, fields=fields)
    number = 0
    for index, choice in enumerate(reply.choices):
        for part in choice.parts:
            yield PartStarted(part=number, kind=part.kind, choice=index, id=part.id, name=part.name)
            if part.text or part.kind is PartKind.TEXT:
                yield Delta(part=number, text=part.text)
            for kind, value in part.seals.items():
                yield Sealed(part=number, kind=kind, value=value)
            yield PartEnded(part=number)
            number += 1
        for protocol, fields in choice.extras.items():
            yield Extra(protocol=protocol, fields=fields, choice=index)
        if choice.reason is not None:
            yield _choice_ended(index, choice, choice.reason)
    if reply.usage is not None:
        yield UsageReported(usage=reply.usage)
    yield Ended()


def _choice_ended(index: int, choice: Choice, reason: StopReason) -> ChoiceEnded:
    return ChoiceEnded(choice=index, reason=reason, stop_sequence=choice.stop_sequence, word=choice.word)
