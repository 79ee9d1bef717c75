"""Several answers, each the continuation of the one before, as the events of a single one.

Pure. The first answer is passed on as it comes, except for its end. Of each further one the text goes into the text
that is still open, less what it repeats; its thinking is left out, and its usage is added. The end is that of the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Sealed,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.overlap import OverlapTrim

_OLD_CALL: Final = "function_call"
"""A tool call from before there were several; it has no canonical words and travels among the fields beside them."""


class Joiner:
    """Feed it the events of an answer; when `wants_more` is true after that, `go_on` and feed it the next, or `finish`.

    `go_on` may be called again before the new answer has said anything: another try.
    """

    def __init__(self, times: int) -> None:
        self.wants_more = False
        self.is_over = False
        self._left = times
        self.is_first = True
        """No answer has come to its end yet."""
        self._is_joinable = True
        """It has one choice, and nothing but thinking and text in it."""
        self._texts: list[str] = []
        self._new_text = False
        self._part: int | None = None
        """The text that is open, by its number in the whole."""
        self._parts: dict[int, int] = {}
        """Numbers of this answer's parts in the whole; those left out are missing."""
        self._next_part = 0
        self._trim: OverlapTrim | None = None
        self._end: ChoiceEnded | None = None
        self._earlier_end = ChoiceEnded(reason=StopReason.MAX_TOKENS)
        self._usage: Usage | None = None
        self._earlier_usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def can_finish(self) -> bool:
        """What was said so far makes a good answer, whatever became of the last one fed."""
        return not self.is_first and self._is_joinable and not self.is_over

    def feed(self, event: Event, /) -> list[Event]:
        match event:
            case Delta():
                return self._delta(event)
            case PartStarted():
                return self._started(event)
            case PartEnded():
                return self._ended(event)
            case Sealed() if (number := self._parts.get(event.part)) is not None:
                return [Sealed(part=number, kind=event.kind, value=event.value)]
            case Sealed():
                pass
            case ChoiceEnded():
                return self._choice_ended(event)
            case UsageReported():
                self._usage = event.usage
            case Started() | Extra():
                return self._said_beside(event)
            case Ended():
                return self._answer_ended()
            case Failed():
                self.is_over = True
                return [event]
        return []

    def close(self) -> list[Event]:
        return []

    def go_on(self) -> None:
        """The next event is the first of a further answer."""
        self.wants_more = self._new_text = False
        self._parts, self._usage = {}, None
        self._earlier_end, self._end = self._end or self._earlier_end, None
        self._trim = OverlapTrim(self.text)

    def finish(self) -> list[Event]:
        """No further answer came, or not all of one: the end as it was before that."""
        self.wants_more, self.is_over = False, True
        return [*self._close_text(), self._end or self._earlier_end, *self._report_usage(), Ended()]

    # --- parts ----------------------------------------------------------------------------------------------------

    def _started(self, event: PartStarted) -> list[Event]:
        if event.choice and not self.is_first:
            return []  # nobody asked for another choice, and the answer so far has none
        if event.choice or event.kind not in (PartKind.TEXT, PartKind.REASONING):
            self._is_joinable = False
        if not self.is_first and self._part is not None:
            if event.kind is PartKind.REASONING:
                return []
            if event.kind is PartKind.TEXT:
                self._parts[event.part] = self._part
                return []
        closing = [] if event.choice else self._close_text()
        number = self._parts[event.part] = self._next_part
        self._next_part += 1
        if event.kind is PartKind.TEXT and not event.choice:
            self._part = number
        renamed = PartStarted(part=number, kind=event.kind, choice=event.choice, id=event.id, name=event.name)
        return [*closing, renamed]

    def _delta(self, event: Delta) -> list[Event]:
        number = self._parts.get(event.part)
        if number is None:
            return []
        if number != self._part:
            return [Delta(part=number, text=event.text)]
        return self._say(self._trim.feed(event.text) if self._trim else event.text)

    def _ended(self, event: PartEnded) -> list[Event]:
        number = self._parts.get(event.part)
        if number is None or number == self._part:
            return []  # a text stays open until something else follows
        return [PartEnded(part=number)]

    def _say(self, text: str) -> list[Event]:
        if not text or self._part is None:
            return []
        self._texts.append(text)
        self._new_text = True
        return [Delta(part=self._part, text=text)]

    def _close_text(self) -> list[Event]:
        if self._part is None:
            return []
        rest = self._say(self._trim.close()) if self._trim else []
        part, self._part, self._trim = self._part, None, None
        return [*rest, PartEnded(part=part)]

    # --- ends -----------------------------------------------------------------------------------------------------

    def _said_beside(self, event: Started | Extra) -> list[Event]:
        """Fields without canonical words are part of the first answer; a call in an old form among them is a call."""
        if not self.is_first:
            return []
        if isinstance(event, Extra) and _holds_call(event.fields):
            self._is_joinable = False
        return [event]

    def _choice_ended(self, event: ChoiceEnded) -> list[Event]:
        if event.choice and not self.is_first:
            return []
        if event.choice == 0 and self._is_joinable:
            self._end = event
            return []
        self._is_joinable = False
        closing = [] if event.choice else self._close_text()
        return [*closing, event]

    def _answer_ended(self) -> list[Event]:
        self.is_first = False
        rest = self._say(self._trim.close()) if self._trim else []
        self._trim = None
        self._add_usage()
        is_cut = self._end is not None and self._end.reason is StopReason.MAX_TOKENS
        if is_cut and self._is_joinable and self._new_text and self._part is not None and self._left > 0:
            self._left -= 1
            self.wants_more = True
            return rest
        self.is_over = True
        return [*rest, *self._close_text(), *self._take_end(), *self._report_usage(), Ended()]

    def _take_end(self) -> list[Event]:
        end, self._end = self._end, None
        return [] if end is None else [end]

    def _add_usage(self) -> None:
        """Reports within one answer replace each other; those of several are added."""
        if self._usage is not None:
            self._earlier_usage = self._usage if self._earlier_usage is None else self._earlier_usage + self._usage
        self._usage = None

    def _report_usage(self) -> list[Event]:
        self._add_usage()
        return [] if self._earlier_usage is None else [UsageReported(usage=self._earlier_usage)]


def _holds_call(fields: Mapping[str, Any]) -> bool:
    message = fields.get("message")
    return bool(fields.get(_OLD_CALL)) or (isinstance(message, Mapping) and bool(message.get(_OLD_CALL)))
