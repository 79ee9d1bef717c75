"""Which event may follow which, as a checker for tests and for debug mode.

    stream  = Started  { body }  ( Ended | Failed )     or just Failed
    body    = PartStarted | Delta | Sealed | PartEnded | ChoiceEnded | UsageReported | Extra

A part is opened once, belongs to a choice that has not ended, and is closed before that choice ends and before Ended.
A failed stream may leave parts open: that is what makes it recognisable as cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartStarted,
    Sealed,
    Started,
    UsageReported,
)


class GrammarError(AssertionError):
    """An event stood where it may not."""


class Grammar:
    """Feed it every event of one stream, then `close()`. It answers nothing; it raises GrammarError."""

    def __init__(self) -> None:
        self._state = "new"
        self._open: dict[int, int] = {}
        self._seen: set[int] = set()
        self._ended: set[int] = set()

    def feed(self, event: Event) -> None:
        if self._state == "over":
            raise GrammarError(f"{event!r} after the end")
        if self._state == "new" and not isinstance(event, Started | Failed):
            raise GrammarError(f"{event!r} before Started")
        match event:
            case Started():
                self._check(self._state == "new", event)
                self._state = "running"
            case PartStarted():
                self._check(event.part not in self._seen and event.choice not in self._ended, event)
                self._seen.add(event.part)
                self._open[event.part] = event.choice
            case Delta() | Sealed():
                self._check(event.part in self._open, event)
            case PartEnded():
                self._check(self._open.pop(event.part, None) is not None, event)
            case ChoiceEnded():
                is_open = event.choice in self._open.values()
                self._check(event.choice not in self._ended and not is_open, event)
                self._ended.add(event.choice)
            case UsageReported() | Extra():
                pass
            case Ended():
                self._check(not self._open, event)
                self._state = "over"
            case Failed():
                self._state = "over"

    def close(self) -> None:
        if self._state != "over":
            raise GrammarError("the stream has no end")

    @staticmethod
    def _check(holds: bool, event: Event) -> None:
        if not holds:
            raise GrammarError(f"{event!r} stands where it may not")


def check(events: Iterable[Event]) -> None:
    """Raise GrammarError unless `events` is one whole, well-formed stream."""
    grammar = Grammar()
    for event in events:
        grammar.feed(event)
    grammar.close()
