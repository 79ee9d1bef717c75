"""Thinking that an upstream writes into its text, between `<think>` and `</think>`, as the thinking it is.

Only at the very beginning of an answer's text: anywhere else the tags are something the model talks about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from iflow_cli_proxy.core.events import Delta, Event, PartEnded, PartKind, PartStarted, Sealed

_OPENING: Final = ("<think>", "<thinking>")
_CLOSING: Final = {"<think>": "</think>", "<thinking>": "</thinking>"}


@dataclass(slots=True)
class _Text:
    """A text part on its way. `held` may be, or become, a tag."""

    started: PartStarted
    held: str = ""
    closing: str = ""
    """Inside thinking: the tag that ends it."""
    thinking: int = -1
    """The part that carries it; none as long as nothing was thought."""
    text: int = -1
    is_decided: bool = False
    is_tagged: bool = False


class ThinkTags:
    """A stage over events. Parts are numbered anew, since one of theirs may be two of ours."""

    def __init__(self) -> None:
        self._numbers = 0
        self._others: dict[int, int] = {}
        self._texts: dict[int, _Text] = {}
        self._seen: set[int] = set()
        """Choices whose text has begun already."""

    def feed(self, event: Event, /) -> list[Event]:
        match event:
            case PartStarted(kind=PartKind.TEXT) if event.choice not in self._seen:
                self._seen.add(event.choice)
                self._texts[event.part] = _Text(event)
                return []
            case PartStarted():
                self._others[event.part] = number = self._next()
                return [msgspec.structs.replace(event, part=number)]
            case Delta() if event.part in self._texts:
                text = self._texts[event.part]
                if text.text == event.part and not text.held and not text.closing:
                    return [event]
                return self._more(text, event.text)
            case Sealed() if event.part in self._texts:
                return []  # texts have none
            case PartEnded() if event.part in self._texts:
                return self._end(self._texts.pop(event.part))
            case _:
                if (part := getattr(event, "part", None)) is None:
                    return [event]
                return [msgspec.structs.replace(event, part=self._others.get(part, part))]

    def close(self) -> list[Event]:
        return []

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers - 1

    def _more(self, text: _Text, more: str) -> list[Event]:
        text.held += more
        if not text.is_decided:
            start = text.held.lstrip()
            if any(tag.startswith(start) and tag != start for tag in _OPENING):
                return []  # too little to know
            text.is_decided = True
            tag = next((tag for tag in _OPENING if start.startswith(tag)), "")
            if tag:
                text.is_tagged = True
                text.closing, text.held = _CLOSING[tag], start[len(tag) :]
        return self._thinking(text) if text.closing else self._plain(text)

    def _thinking(self, text: _Text) -> list[Event]:
        if text.thinking < 0:
            text.held = text.held.lstrip("\n")
        before, mark, after = text.held.partition(text.closing)
        if not mark:
            kept = _overlap(before, text.closing)
            before, text.held = before[: len(before) - kept], before[len(before) - kept :]
            return self._thought(text, before)
        text.closing, text.held = "", after.lstrip("\n")
        return [*self._thought(text, before), *_ended(text.thinking), *self._plain(text)]

    def _thought(self, text: _Text, said: str) -> list[Event]:
        if not said:
            return []
        out: list[Event] = []
        if text.thinking < 0:
            text.thinking = self._next()
            out.append(PartStarted(part=text.thinking, kind=PartKind.REASONING, choice=text.started.choice))
        return [*out, Delta(part=text.thinking, text=said)]

    def _plain(self, text: _Text) -> list[Event]:
        if text.is_tagged and text.text < 0:
            text.held = text.held.lstrip("\n")  # the empty line between the two is nobody's
        if not text.held:
            return []
        out: list[Event] = []
        if text.text < 0:
            text.text = self._next()
            out.append(msgspec.structs.replace(text.started, part=text.text))
        said, text.held = text.held, ""
        return [*out, Delta(part=text.text, text=said)]

    def _end(self, text: _Text) -> list[Event]:
        if text.closing:
            said, text.held = text.held, ""
            return [*self._thought(text, said), *_ended(text.thinking)]
        out = self._plain(text)
        if text.text < 0 and not text.is_tagged:
            text.text = self._next()
            out.append(msgspec.structs.replace(text.started, part=text.text))
        return [*out, *_ended(text.text)]


def _ended(part: int) -> list[Event]:
    return [PartEnded(part=part)] if part >= 0 else []


def _overlap(text: str, tag: str) -> int:
    """How many of the last letters of `text` may be the beginning of `tag`."""
    return next((length for length in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:length])), 0)
