"""Completions streams: frames to events and events to frames.

The decoder obeys the grammar whatever it is fed: it never raises and never hangs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, cut_short, never_began
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
    Started,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Frame, encode_frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_answer import decode_head
from iflow_cli_proxy.protocols.openai_completions.reply import SHOWN, answer_id, echoed, extras_of
from iflow_cli_proxy.protocols.openai_completions.wire import DONE, PROTOCOL, WireAnswer, WireChoice, decode_answer
from iflow_cli_proxy.protocols.openai_errors import error_of_event
from iflow_cli_proxy.protocols.openai_stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.openai_usage import decode_usage, encode_usage

END_MARKER: Final = encode_frame(DONE)


class StreamDecoder:
    def __init__(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._asked = choices
        self._open: dict[int, int] = {}
        """Choice to the number of its text."""
        self._parts = 0
        self._ended: set[int] = set()
        self._seen: set[int] = set()
        self._is_started = False
        self._is_over = False
        self._shown_extras: dict[str, Json] = {}

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        if frame.data.strip() == DONE:
            return self._end()
        try:
            answer, plain = decode_answer(frame.data), jsonx.decode_strict(frame.data)
        except JsonError:
            return [self._fail(judged(frame.data, self._judge))]
        if answer.error or (answer.choices is None and answer.usage is None):
            return [self._fail(judged(frame.data, self._judge))]
        for wire in answer.choices or ():
            if wire.finish_reason in self._failing_words:
                return [self._fail(reported_failure(wire.finish_reason or "", frame.data, self._judge))]
        return list(self._read(answer, plain))

    def close(self) -> list[Event]:
        if self._is_over:
            return []
        if self._seen and (len(self._ended) < self._asked or self._seen != self._ended):
            return [self._fail(cut_short())]
        return self._end()

    def _fail(self, error: GatewayError) -> Failed:
        self._is_over = True
        return failed(error)

    def _end(self) -> list[Event]:
        if not self._seen:
            return [self._fail(never_began())]
        self._is_over = True
        return [*(PartEnded(part=part) for part in self._open.values()), Ended()]

    def _read(self, answer: WireAnswer, plain: Mapping[str, Json]) -> Iterator[Event]:
        if not self._is_started:
            self._is_started = True
            yield Started(**decode_head(answer))
        extras = {name: value for name, value in extras_of(plain).items() if self._shown_extras.get(name) != value}
        if extras:
            self._shown_extras |= extras
            yield Extra(protocol=PROTOCOL, fields=extras)
        for number, wire in enumerate(answer.choices or ()):
            yield from self._read_choice(number if wire.index is None else wire.index, wire)
        if usage := decode_usage(answer.usage):
            yield UsageReported(usage=usage)

    def _read_choice(self, index: int, wire: WireChoice) -> Iterator[Event]:
        if index in self._ended:
            return
        if wire.text:
            self._seen.add(index)
            if index not in self._open:
                self._open[index], self._parts = self._parts, self._parts + 1
                yield PartStarted(part=self._open[index], kind=PartKind.TEXT, choice=index)
            yield Delta(part=self._open[index], text=wire.text)
        if wire.finish_reason:
            self._seen.add(index)
            self._ended.add(index)
            if index in self._open:
                yield PartEnded(part=self._open.pop(index))
            yield decode_stop(wire.finish_reason, index)


class StreamEncoder:
    """Events to frames. Usage is sent last, when asked for; a failed stream gets its error event and no end marker."""

    def __init__(self, options: EncodeOptions) -> None:
        self._options = options
        self._head = b""
        self._usage: Usage | None = None
        self._extras: dict[str, Json] = {}
        self._places: dict[int, int] = {}
        """Part number to choice, of what is shown."""
        self._greeted: set[int] = set()

    def feed(self, event: Event, /) -> list[bytes]:
        match event:
            case Delta() if event.part in self._places:
                choice = self._places[event.part]
                return [*self._greet(choice), self._chunk(choice, event.text)]
            case PartStarted() if event.kind in SHOWN:
                self._places[event.part] = event.choice
            case Started():
                self._start(event)
            case ChoiceEnded():
                word = jsonx.encode(encode_stop(event.reason, event.word))
                return [*self._greet(event.choice), self._chunk(event.choice, "", word)]
            case UsageReported():
                self._usage = event.usage
            case Extra(choice=-1, protocol=protocol) if protocol == PROTOCOL:
                self._extras |= event.fields
            case Ended():
                return [*self._last(), END_MARKER]
            case Failed():
                return [encode_frame(jsonx.encode(error_of_event(event)))]
            case _:
                pass
        return []

    def close(self) -> list[bytes]:
        return []

    def _start(self, event: Started) -> None:
        options = self._options
        head = {
            "id": answer_id(event.id, options),
            "object": "text_completion",
            "created": event.created or options.created,
            "model": event.model or options.model,
        }
        self._head = b"data: " + jsonx.encode(head)[:-1]

    def _chunk(self, choice: int, text: str, stop_word: bytes = b"null") -> bytes:
        template = b'%b,"choices":[{"text":%b,"index":%d,"logprobs":null,"finish_reason":%b}]%b}\n\n'
        return template % (self._head, jsonx.encode(text), choice, stop_word, self._take_extras())

    def _greet(self, choice: int) -> list[bytes]:
        """The prompt, once for each choice, where the client wants to see it."""
        if choice in self._greeted:
            return []
        self._greeted.add(choice)
        prompt = echoed(self._options)
        return [self._chunk(choice, prompt)] if prompt else []

    def _take_extras(self) -> bytes:
        extras, self._extras = self._extras, {}
        return b"," + jsonx.encode(extras)[1:-1] if extras else b""

    def _last(self) -> list[bytes]:
        """Usage, and the fields that no chunk came for."""
        if not self._options.shows_usage:
            return [b'%b,"choices":[]%b}\n\n' % (self._head, self._take_extras())] if self._extras else []
        usage = jsonx.encode(encode_usage(self._usage))
        return [b'%b,"choices":[],"usage":%b%b}\n\n' % (self._head, usage, self._take_extras())]
