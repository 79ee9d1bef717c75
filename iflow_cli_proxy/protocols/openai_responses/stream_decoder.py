"""A Responses stream as events.

Obeys the grammar whatever it is fed: it never raises and never hangs. What the pieces did not say is taken from the
whole texts and items that follow them, and in the end from the whole response.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, cut_short, never_began
from iflow_cli_proxy.core.events import (
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    ReplyPart,
    Sealed,
    Started,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.protocols.base import Judge
from iflow_cli_proxy.protocols.judging import judged
from iflow_cli_proxy.protocols.openai_responses.ending import decode_ending
from iflow_cli_proxy.protocols.openai_responses.errors import plain_error
from iflow_cli_proxy.protocols.openai_responses.output import CALLS, CONTENT, NO_ARGUMENTS, decode_item, text_of
from iflow_cli_proxy.protocols.openai_responses.reply import decode_head, failure_in
from iflow_cli_proxy.protocols.openai_responses.snapshot import extras_of
from iflow_cli_proxy.protocols.openai_responses.usage import decode_usage
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL

DONE: Final = b"[DONE]"
"""Not of this protocol, but some servers end every stream with it."""
BEGINNINGS: Final = ("response.created", "response.in_progress", "response.queued")
ENDINGS: Final = ("response.completed", "response.incomplete")
FAILURES: Final = ("response.failed", "response.cancelled", "error")
_PIECES: Final = {
    "response.output_text": (PartKind.TEXT, "text"),
    "response.refusal": (PartKind.REFUSAL, "refusal"),
    "response.reasoning_text": (PartKind.REASONING, "text"),
    "response.reasoning_summary_text": (PartKind.REASONING, "text"),
    "response.function_call_arguments": (PartKind.TOOL_CALL, "arguments"),
}
"""Events that end in `.delta` and in `.done`: the kind of their part, and where the whole text stands."""
_BETWEEN_SUMMARIES: Final = "\n\n"


class _Part:
    """A part that was begun; its place is its item and, within a message, the number of its content."""

    __slots__ = ("is_ended", "kind", "number", "pieces", "source", "summaries")

    def __init__(self, number: int, kind: PartKind) -> None:
        self.number = number
        self.kind = kind
        self.pieces: list[str] = []
        self.is_ended = False
        self.source = ""
        """Which events its text comes from: thinking may be told twice, in the open and as a summary."""
        self.summaries = 0

    @property
    def text(self) -> str:
        self.pieces = ["".join(self.pieces)] if self.pieces else []
        return self.pieces[0] if self.pieces else ""


class StreamDecoder:
    def __init__(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> None:
        """There is always one answer, whatever `choices` says."""
        self._judge = judge
        self._failing_words = failing_words
        self._parts: dict[tuple[int, int, PartKind], _Part] = {}
        self._places: dict[str, int] = {}
        """Item id to its place in the output, for servers that leave the place out."""
        self._last_place = 0
        self._is_started = False
        self._is_over = False

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        try:
            event = jsonx.decode_strict(frame.data)
        except JsonError:
            is_done = frame.data.strip() == DONE
            return [self._fail(self._missing_end() if is_done else judged(frame.data, self._judge))]
        kind = text_of(event, "type") if isinstance(event, dict) else ""
        if not kind or kind in FAILURES:
            return [self._fail(judged(jsonx.encode(plain_error(event)), self._judge))]
        if kind in ENDINGS:
            return self._finish(event.get("response"))
        return list(self._read(kind, event))

    def close(self) -> list[Event]:
        return [] if self._is_over else [self._fail(self._missing_end())]

    def _missing_end(self) -> GatewayError:
        return cut_short() if self._parts else never_began()

    def _fail(self, error: GatewayError) -> Failed:
        self._is_over = True
        return failed(error)

    def _start(self, response: Json) -> Iterator[Event]:
        if not self._is_started:
            self._is_started = True
            yield Started(**decode_head(response if isinstance(response, dict) else {}))

    # --- what comes in between ------------------------------------------------------------------------------------

    def _read(self, kind: str, event: Mapping[str, Json]) -> Iterator[Event]:
        if kind in BEGINNINGS:
            yield from self._start(event.get("response"))
            return
        name, _, step = kind.rpartition(".")
        if name in _PIECES and step in ("delta", "done"):
            yield from self._piece(name, step, event)
            return
        match kind:
            case "response.output_item.added":
                yield from self._item_added(event)
            case "response.output_item.done":
                if isinstance(item := event.get("item"), dict):
                    yield from self._item_done(self._place(event), item)
            case "response.content_part.added":
                part = event.get("part")
                known = CONTENT.get(text_of(part, "type")) if isinstance(part, dict) else None
                if known is not None:
                    yield from self._begin(self._place(event), _number(event, "content_index"), known[0])
            case "response.reasoning_summary_part.added":
                yield from self._summary_added(event)
            case _:
                pass

    def _place(self, event: Mapping[str, Json]) -> int:
        """The item's number in the output; without one, that of its id, or the last."""
        index, item = event.get("output_index"), event.get("item")
        named = text_of(item, "id") if isinstance(item, dict) else text_of(event, "item_id")
        place = index if type(index) is int else self._places.get(named, self._last_place)
        if named:
            self._places[named] = place
        self._last_place = place
        return place

    def _item_added(self, event: Mapping[str, Json]) -> Iterator[Event]:
        item = event.get("item")
        if not isinstance(item, dict):
            return
        place, kind = self._place(event), item.get("type")
        if kind == "reasoning":
            yield from self._begin(place, 0, PartKind.REASONING)
        elif kind in CALLS:
            yield from self._begin(place, 0, PartKind.TOOL_CALL, text_of(item, "call_id"), text_of(item, "name"))

    def _begin(self, place: int, number: int, kind: PartKind, call_id: str = "", name: str = "") -> Iterator[Event]:
        if (place, number, kind) in self._parts:
            return
        yield from self._start(None)
        part = self._parts[place, number, kind] = _Part(len(self._parts), kind)
        yield PartStarted(part=part.number, kind=kind, id=call_id, name=name)

    def _piece(self, name: str, step: str, event: Mapping[str, Json]) -> Iterator[Event]:
        kind, whole = _PIECES[name]
        place = self._place(event)
        number = _number(event, "content_index") if kind in (PartKind.TEXT, PartKind.REFUSAL) else 0
        yield from self._begin(place, number, kind)
        part = self._parts[place, number, kind]
        part.source = part.source or name
        if part.source != name or part.is_ended:
            return
        if step == "delta":
            yield from _more(part, text_of(event, "delta"))
        elif part.summaries <= 1:  # of several summaries none is the whole text
            yield from _rest(part, text_of(event, whole))

    def _summary_added(self, event: Mapping[str, Json]) -> Iterator[Event]:
        place = self._place(event)
        yield from self._begin(place, 0, PartKind.REASONING)
        part = self._parts[place, 0, PartKind.REASONING]
        part.summaries += 1
        if part.summaries > 1 and part.source != "response.reasoning_text" and not part.is_ended:
            yield from _more(part, _BETWEEN_SUMMARIES)

    # --- the end of an item, and of all ---------------------------------------------------------------------------

    def _item_done(self, place: int, item: Mapping[str, Json]) -> Iterator[Event]:
        """Whatever its pieces did not say, and the end of its parts."""
        for number, whole in enumerate(decode_item(item)):
            is_content = whole.kind in (PartKind.TEXT, PartKind.REFUSAL)
            at = number if is_content else 0
            yield from self._begin(place, at, whole.kind, whole.id, whole.name)
            part = self._parts[place, at, whole.kind]
            if not part.is_ended:
                yield from _completed(part, whole)
        mine = [part for (where, _, _), part in self._parts.items() if where == place]
        yield from _ended(mine)

    def _finish(self, response: Json) -> list[Event]:
        if not isinstance(response, dict):
            return [self._fail(judged(b"{}", self._judge))]
        if failure := failure_in(response, self._failing_words, self._judge):
            return [self._fail(failure)]
        self._is_over = True
        return list(self._last_events(response))

    def _last_events(self, response: Mapping[str, Json]) -> Iterator[Event]:
        yield from self._start(response)
        output = response.get("output")
        untold = output if isinstance(output, list) and not self._parts else []
        for place, item in enumerate(untold):
            if isinstance(item, dict):
                yield from self._item_done(place, item)
        yield from _ended(self._parts.values())
        if extras := extras_of(response):
            yield Extra(protocol=PROTOCOL, fields=extras)
        has_calls = any(part.kind is PartKind.TOOL_CALL for part in self._parts.values())
        yield decode_ending(response.get("status"), response.get("incomplete_details"), has_calls=has_calls)
        if usage := decode_usage(response.get("usage")):
            yield UsageReported(usage=usage)
        yield Ended()


def _number(event: Mapping[str, Json], name: str) -> int:
    value = event.get(name)
    return value if type(value) is int else 0


def _more(part: _Part, text: str) -> Iterator[Event]:
    if text:
        part.pieces.append(text)
        yield Delta(part=part.number, text=text)


def _rest(part: _Part, whole: str) -> Iterator[Event]:
    """What the whole text has beyond the pieces that came."""
    if whole.startswith(part.text):
        yield from _more(part, whole[len(part.text) :])


def _completed(part: _Part, whole: ReplyPart) -> Iterator[Event]:
    if part.kind is not PartKind.REASONING or not part.pieces:
        yield from _rest(part, whole.text)
    for kind, value in whole.seals.items():
        yield Sealed(part=part.number, kind=kind, value=value)


def _ended(parts: Iterable[_Part]) -> Iterator[Event]:
    for part in parts:
        if part.is_ended:
            continue
        if part.kind is PartKind.TOOL_CALL and not part.pieces:
            yield from _more(part, NO_ARGUMENTS)
        part.is_ended = True
        yield PartEnded(part=part.number)
