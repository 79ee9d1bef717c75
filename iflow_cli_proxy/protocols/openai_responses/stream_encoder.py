"""Events as a Responses stream: the whole documented sequence, numbered without a gap.

Each part is an item of its own. Items may be open at the same time, as parallel calls are; every event names its item.
Sources: OpenAI API reference, "Streaming events"; the official SDKs insist on the order of one item's events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, of_kind
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
    ReplyPart,
    Sealed,
    Started,
    UsageReported,
)
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses.ending import encode_ending
from iflow_cli_proxy.protocols.openai_responses.errors import response_error
from iflow_cli_proxy.protocols.openai_responses.output import NO_ARGUMENTS, content, encode_item, summary
from iflow_cli_proxy.protocols.openai_responses.snapshot import FAILED, Head, head_of, snapshot
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames, unwrapped
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL

_DELTAS: Final = {
    PartKind.TEXT: ("response.output_text", "text"),
    PartKind.REFUSAL: ("response.refusal", "refusal"),
    PartKind.REASONING: ("response.reasoning_summary_text", "text"),
    PartKind.TOOL_CALL: ("response.function_call_arguments", "arguments"),
}
"""The name of each kind's events, and where the whole text stands in the last of them."""
_CUSTOM: Final = ("response.custom_tool_call_input", "input")


class _Item:
    """An item that is being written."""

    __slots__ = ("delta", "index", "is_custom", "pieces", "place", "seals", "started")

    def __init__(self, started: PartStarted, index: int, *, is_custom: bool) -> None:
        self.started = started
        self.index = index
        self.is_custom = is_custom
        self.pieces: list[str] = []
        self.seals: dict[str, str] = {}
        self.place: dict[str, Json] = {}
        """The fields by which its events say where they belong."""
        self.delta = b""
        """The event of a piece, but for its number and its text."""

    @property
    def part(self) -> ReplyPart:
        """What has come of it."""
        started, text = self.started, "".join(self.pieces)
        if started.kind is PartKind.TOOL_CALL and not text:
            text = NO_ARGUMENTS
        return ReplyPart(kind=started.kind, text=text, id=started.id, name=started.name, seals=self.seals)


class StreamEncoder:
    """Events to frames; of several answers the first. `response` is the finished one, once there is one.

    Nothing goes out before the first event that a person could see: until then the stream may still be given up for
    another.
    """

    def __init__(self, options: EncodeOptions) -> None:
        self.response: Mapping[str, Json] | None = None
        self._options = options
        self._names = ToolNames(options.asked)
        self._head: Head = head_of("", 0, "", options)
        self._sequence = 0
        self._held: list[bytes] = []
        self._has_begun = False
        self._items: dict[int, _Item] = {}
        """Open ones, by the number of their part."""
        self._ended: _Item | None = None
        """One that has ended, and is told so with the next event: whether it is complete, the end of all says."""
        self._count = 0
        self._output: dict[int, Json] = {}
        self._ending = encode_ending(None, "")
        self._usage: Usage | None = None
        self._extras: dict[str, Json] = {}

    def feed(self, event: Event, /) -> list[bytes]:
        if self._ended is None or isinstance(event, Extra | UsageReported):
            return self._write(event)
        is_cut = (
            isinstance(event, ChoiceEnded)
            and event.choice == 0
            and not encode_ending(event.reason, event.word).is_complete
        )
        closed = self._hold(self._close(self._ended, is_cut=is_cut))
        self._ended = None
        return [*closed, *self._write(event)]

    def _write(self, event: Event) -> list[bytes]:
        match event:
            case Delta():
                item = self._items.get(event.part)
                return [] if item is None or not event.text else self._out(self._delta(item, event.text))
            case PartStarted(choice=0):
                is_call = event.kind is PartKind.TOOL_CALL
                return self._out(self._open(event)) if is_call else self._hold(self._open(event))
            case PartEnded():
                self._ended = self._items.pop(event.part, None)
            case Started():
                self._head = head_of(event.id, event.created, event.model, self._options)
                return self._hold(self._greet())
            case Sealed():
                if (sealed := self._items.get(event.part)) is not None:
                    sealed.seals[event.kind] = sealed.seals.get(event.kind, "") + event.value
            case ChoiceEnded(choice=0):
                self._ending = encode_ending(event.reason, event.word)
                return self._out(iter(()))
            case UsageReported():
                self._usage = event.usage
            case Extra(choice=-1, protocol=protocol) if protocol == PROTOCOL:
                self._extras |= event.fields
            case Ended():
                return self._out(self._end())
            case Failed():
                return self._out(self._fail(of_kind(event.kind, event.message)))
            case PartStarted() | ChoiceEnded() | Extra():
                pass
        return []

    def close(self) -> list[bytes]:
        ended, self._ended = self._ended, None
        return [] if ended is None else self._hold(self._close(ended))

    def failure(self, error: GatewayError) -> bytes:
        """The last event alone."""
        return b"".join(self._fail(error))

    def break_off(self, error: GatewayError) -> bytes:
        """The end of a stream that failed: after what has gone out, or as a stream of its own if nothing has."""
        if self._has_begun:
            return b"".join(self.close()) + self.failure(error)
        afresh = StreamEncoder(self._options)
        afresh._head = self._head
        return b"".join((*afresh._greet(), *afresh._fail(error)))

    # --- frames ---------------------------------------------------------------------------------------------------

    def _hold(self, frames: Iterator[bytes]) -> list[bytes]:
        if self._has_begun:
            return list(frames)
        self._held += frames
        return []

    def _out(self, frames: Iterator[bytes]) -> list[bytes]:
        if self._has_begun:
            return list(frames)
        self._has_begun = True
        held, self._held = self._held, []
        return [*held, *frames]

    def _frame(self, name: str, fields: Mapping[str, Json]) -> bytes:
        data = jsonx.encode({"type": name, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)

    def _whole(self, name: str, response: Json) -> bytes:
        return self._frame(f"response.{name}", {"response": response})

    # --- the response ---------------------------------------------------------------------------------------------

    def _greet(self) -> Iterator[bytes]:
        response = snapshot(self._head, self._options.asked)
        yield self._whole("created", response)
        yield self._whole("in_progress", response)

    def _end(self) -> Iterator[bytes]:
        output = [self._output[index] for index in sorted(self._output)]
        response = snapshot(self._head, self._options.asked, self._ending, output=output, usage=self._usage)
        self.response = response | self._extras
        yield self._whole(self._ending.status, self.response)

    def _fail(self, error: GatewayError) -> Iterator[bytes]:
        output = [self._output[index] for index in sorted(self._output)]
        yield self._whole(
            FAILED.status,
            snapshot(
                self._head,
                self._options.asked,
                FAILED,
                output=output,
                usage=self._usage,
                error=response_error(error),
            ),
        )

    # --- items ----------------------------------------------------------------------------------------------------

    def _open(self, event: PartStarted) -> Iterator[bytes]:
        index, self._count = self._count, self._count + 1
        is_custom = event.kind is PartKind.TOOL_CALL and self._names.find(event.name).is_custom
        item = self._items[event.part] = _Item(event, index, is_custom=is_custom)
        new = {**encode_item(item.part, index, self._head.id, self._names), **_EMPTY[event.kind]}
        if event.kind is PartKind.TOOL_CALL:
            new["input" if is_custom else "arguments"] = ""
        item.place = {"item_id": new["id"], "output_index": index, **_PLACES[event.kind]}
        item.delta = _template(_DELTAS[event.kind][0] + ".delta", item.place, event.kind)
        yield self._frame("response.output_item.added", {"output_index": index, "item": new})
        if event.kind in (PartKind.TEXT, PartKind.REFUSAL):
            yield self._frame("response.content_part.added", {**item.place, "part": content(event.kind, "")})

    def _delta(self, item: _Item, text: str) -> Iterator[bytes]:
        is_first = not item.pieces
        item.pieces.append(text)
        if item.is_custom:
            return  # its text stands inside of JSON, so it is said when it is whole
        if is_first and item.started.kind is PartKind.REASONING:
            yield self._frame("response.reasoning_summary_part.added", {**item.place, "part": summary("")})
        yield item.delta % (self._sequence, jsonx.encode(text))
        self._sequence += 1

    def _close(self, item: _Item, *, is_cut: bool = False) -> Iterator[bytes]:
        kind, part = item.started.kind, item.part
        done = encode_item(part, item.index, self._head.id, self._names, is_cut=is_cut)
        self._output[item.index] = done
        match kind:
            case PartKind.TOOL_CALL:
                yield from self._close_call(item, part)
            case PartKind.REASONING if item.pieces:
                yield self._text_done(item, part.text)
                yield self._frame("response.reasoning_summary_part.done", {**item.place, "part": summary(part.text)})
            case PartKind.TEXT | PartKind.REFUSAL:
                yield self._text_done(item, part.text)
                yield self._frame("response.content_part.done", {**item.place, "part": content(kind, part.text)})
            case PartKind.REASONING:
                pass
        yield self._frame("response.output_item.done", {"output_index": item.index, "item": done})

    def _close_call(self, item: _Item, part: ReplyPart) -> Iterator[bytes]:
        if item.is_custom:
            name, whole = _CUSTOM
            text = unwrapped(part.text)
            yield self._frame(f"{name}.delta", {**item.place, "delta": text})
            yield self._frame(f"{name}.done", {**item.place, whole: text})
            return
        if not item.pieces:
            yield from self._delta(item, NO_ARGUMENTS)
        yield self._text_done(item, part.text)

    def _text_done(self, item: _Item, text: str) -> bytes:
        name, whole = _DELTAS[item.started.kind]
        fields: dict[str, Json] = {**item.place, whole: text}
        if item.started.kind is PartKind.TEXT:
            fields["logprobs"] = []
        return self._frame(f"{name}.done", fields)


_PLACES: Final[Mapping[PartKind, Mapping[str, int]]] = {
    PartKind.TEXT: {"content_index": 0},
    PartKind.REFUSAL: {"content_index": 0},
    PartKind.REASONING: {"summary_index": 0},
    PartKind.TOOL_CALL: {},
}
_EMPTY: Final[Mapping[PartKind, Mapping[str, Json]]] = {
    PartKind.TEXT: {"status": "in_progress", "content": []},
    PartKind.REFUSAL: {"status": "in_progress", "content": []},
    PartKind.REASONING: {"summary": []},
    PartKind.TOOL_CALL: {"status": "in_progress"},
}
"""What a complete item has that one just begun has not."""


def _template(name: str, place: Mapping[str, Json], kind: PartKind) -> bytes:
    """A piece's event, made once for each item: the number and the text are still to come."""
    fields = jsonx.encode(place)[1:-1].replace(b"%", b"%%")
    logprobs = b',"logprobs":[]' if kind is PartKind.TEXT else b""
    head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (name.encode(), name.encode())
    return head + b"%d," + fields + b',"delta":%b' + logprobs + b"}\n\n"
