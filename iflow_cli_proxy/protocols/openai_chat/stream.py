"""Chat Completions streams: frames to events and events to frames.

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
    Sealed,
    Started,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Frame, encode_frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.openai_chat.calls import Call, Calls
from iflow_cli_proxy.protocols.openai_chat.errors import stream_error_object
from iflow_cli_proxy.protocols.openai_chat.reasoning import thought_of
from iflow_cli_proxy.protocols.openai_chat.reply import (
    arguments_of,
    decode_head,
    encode_call,
    judged,
    reported_failure,
    stand_in_id,
    unmodelled,
)
from iflow_cli_proxy.protocols.openai_chat.stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.openai_chat.usage import decode_usage, encode_usage
from iflow_cli_proxy.protocols.openai_chat.wire import (
    DONE,
    MODELLED_ANSWER,
    PROTOCOL,
    WireAnswer,
    WireChoice,
    WireDelta,
    WireToolDelta,
    decode_answer,
)

END_MARKER: Final = encode_frame(DONE)


# --- decode -------------------------------------------------------------------------------------------------------


class _ChoiceState:
    """What is open in one choice: at most one running text, and any number of tool calls."""

    def __init__(self) -> None:
        self.running: tuple[PartKind, int] | None = None
        self.calls = Calls()
        self.open: list[int] = []
        self.is_ended = False


class StreamDecoder:
    """Frames to events. `keeps_extras` costs a second decoding and is for encoders of the same protocol."""

    def __init__(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._asked = choices
        self._keeps_extras = keeps_extras
        self._choices: dict[int, _ChoiceState] = {}
        self._parts = 0
        self._is_started = False
        self._is_over = False
        self._shown_extras: dict[str, Json] = {}

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        if frame.data.strip() == DONE:
            return self._end()
        try:
            answer = decode_answer(frame.data)
            plain = jsonx.decode_strict(frame.data) if self._keeps_extras else {}
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
        ended = [choice for choice in self._choices.values() if choice.is_ended]
        if self._has_content and (len(ended) < self._asked or len(ended) < len(self._choices)):
            return [self._fail(cut_short())]
        return self._end()

    @property
    def _has_content(self) -> bool:
        return self._parts > 0 or any(choice.is_ended for choice in self._choices.values())

    def _fail(self, error: GatewayError) -> Failed:
        self._is_over = True
        return failed(error)

    def _end(self) -> list[Event]:
        if not self._has_content:
            return [self._fail(never_began())]
        self._is_over = True
        closing = [event for choice in self._choices.values() for event in self._close_parts(choice)]
        return [*closing, Ended()]

    def _read(self, answer: WireAnswer, plain: Mapping[str, Json]) -> Iterator[Event]:
        if not self._is_started:
            self._is_started = True
            yield Started(**decode_head(answer))
        yield from self._read_extras(plain)
        for number, wire in enumerate(answer.choices or ()):
            index = number if wire.index is None else wire.index
            yield from self._read_choice(index, wire, plain["choices"][number] if plain else {})
        usage = decode_usage(answer.usage)
        if usage is not None:
            yield UsageReported(usage=usage)

    def _read_extras(self, plain: Mapping[str, Json]) -> Iterator[Event]:
        """Unmodelled fields of the chunk itself, each once for each value."""
        new = {
            name: value
            for name, value in plain.items()
            if name not in MODELLED_ANSWER and value is not None and self._shown_extras.get(name) != value
        }
        if new:
            self._shown_extras |= new
            yield Extra(protocol=PROTOCOL, fields=new)

    def _read_choice(self, index: int, wire: WireChoice, plain: Mapping[str, Json]) -> Iterator[Event]:
        choice = self._choices.setdefault(index, _ChoiceState())
        if choice.is_ended:
            return  # some upstreams repeat the finish chunk
        extras = unmodelled(plain, plain.get("delta") or plain.get("message") or {}) if plain else {}
        if extras:
            yield Extra(protocol=PROTOCOL, fields=extras, choice=index)
        if wire.message:
            for number, call in enumerate(wire.message.tool_calls or ()):
                call.index = number  # whole calls, so each of them is another one
        yield from self._read_delta(choice, index, wire.delta or wire.message or WireDelta())
        if wire.finish_reason:
            yield from self._close_parts(choice)
            choice.is_ended = True
            yield decode_stop(wire.finish_reason, index)

    def _read_delta(self, choice: _ChoiceState, index: int, delta: WireDelta) -> Iterator[Event]:
        thought = thought_of(delta)
        if thought.text:
            yield from self._text(choice, index, PartKind.REASONING, thought.text)
        for kind, value in thought.seals.items():
            yield from self._switch(choice, index, PartKind.REASONING)
            if choice.running:
                yield Sealed(part=choice.running[1], kind=kind, value=value)
        if delta.content:
            yield from self._text(choice, index, PartKind.TEXT, delta.content)
        if delta.refusal:
            yield from self._text(choice, index, PartKind.REFUSAL, delta.refusal)
        for call in delta.tool_calls or ():
            yield from self._call(choice, index, call)

    def _text(self, choice: _ChoiceState, index: int, kind: PartKind, text: str) -> Iterator[Event]:
        if choice.running is None or choice.running[0] is not kind:
            yield from self._switch(choice, index, kind)
        if choice.running is not None:
            yield Delta(part=choice.running[1], text=text)

    def _switch(self, choice: _ChoiceState, index: int, kind: PartKind) -> Iterator[Event]:
        """Make a part of `kind` the running one."""
        if choice.running is not None and choice.running[0] is kind:
            return
        yield from self._stop_running(choice)
        choice.running = (kind, self._parts)
        yield PartStarted(part=self._parts, kind=kind, choice=index)
        self._parts += 1

    @staticmethod
    def _stop_running(choice: _ChoiceState) -> Iterator[Event]:
        if choice.running is not None:
            yield PartEnded(part=choice.running[1])
            choice.running = None

    def _call(self, choice: _ChoiceState, index: int, delta: WireToolDelta) -> Iterator[Event]:
        call = choice.calls.find(delta)
        if call is None:
            yield from self._stop_running(choice)
            call = Call(self._parts, (delta.function.name if delta.function else "") or "")
            self._parts += 1
            choice.open.append(call.part)
            yield PartStarted(part=call.part, kind=PartKind.TOOL_CALL, choice=index, id=delta.id or "", name=call.name)
        choice.calls.remember(delta, call)
        if arguments := arguments_of(delta):
            call.add(arguments)
            yield Delta(part=call.part, text=arguments)

    def _close_parts(self, choice: _ChoiceState) -> Iterator[Event]:
        yield from self._stop_running(choice)
        for part in choice.open:
            yield PartEnded(part=part)
        choice.open = []


# --- encode -------------------------------------------------------------------------------------------------------


class StreamEncoder:
    """Events to frames. Usage is sent last, when asked for; a failed stream gets its error event and no end marker."""

    def __init__(self, options: EncodeOptions) -> None:
        self._options = options
        self._id = options.id
        self._head = b""
        self._usage: Usage | None = None
        self._extras: dict[str, Json] = {}
        """Unmodelled fields of the answer; they ride on the next chunk, as do those of a choice on its next."""
        self._choice_extras: dict[int, dict[str, Json]] = {}
        self._places: dict[int, tuple[int, PartKind, int]] = {}
        """Part number to choice, kind and, for tool calls, index within the choice."""
        self._greeted: set[int] = set()
        self._calls: dict[int, int] = {}
        self._merged: set[int] = set()
        """Choices whose merged text so far is only thinking."""

    def feed(self, event: Event, /) -> list[bytes]:
        match event:
            case Delta():
                return [self._delta(event)]
            case PartStarted():
                return self._open(event)
            case Started():
                self._start(event)
            case Sealed(kind="signature") if not self._options.merges_reasoning:
                choice, _, _ = self._places[event.part]
                return [self._chunk(choice, b'{"signature":%b}' % jsonx.encode(event.value))]
            case ChoiceEnded():
                word = jsonx.encode(encode_stop(event.reason, event.word))
                return [*self._greet(event.choice), self._chunk(event.choice, b"{}", word)]
            case UsageReported():
                self._usage = event.usage
            case Extra(protocol="openai_chat") if event.choice < 0:
                self._extras |= event.fields
            case Extra(protocol="openai_chat"):
                return self._keep(event.choice, event.fields)
            case Ended():
                return [*self._left_over(), *self._last_usage(), END_MARKER]
            case Failed():
                return [encode_frame(jsonx.encode(stream_error_object(event)))]
            case Sealed() | PartEnded() | Extra():
                pass
        return []

    def close(self) -> list[bytes]:
        return []

    def _start(self, event: Started) -> None:
        options = self._options
        self._id = event.id or options.id
        head = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": event.created or options.created,
            "model": event.model or options.model,
        }
        self._head = b"data: " + jsonx.encode(head)[:-1]

    def _chunk(self, choice: int, delta: bytes, stop_word: bytes = b"null") -> bytes:
        extras = self._choice_extras.pop(choice, None) if self._choice_extras else None
        if not extras:
            return self._plain_chunk(choice, delta, stop_word)
        if inner := extras.pop("message", None):
            delta = jsonx.encode(jsonx.decode(delta) | inner)
        return self._plain_chunk(choice, delta, stop_word + _appended(extras))

    def _plain_chunk(self, choice: int, delta: bytes, stop_word: bytes = b"null") -> bytes:
        template = b'%b,"choices":[{"index":%d,"delta":%b,"finish_reason":%b}]%b}\n\n'
        return template % (self._head, choice, delta, stop_word, self._take_extras())

    def _take_extras(self) -> bytes:
        if not self._extras:
            return b""
        extras, self._extras = self._extras, {}
        return _appended(extras)

    def _keep(self, choice: int, fields: Mapping[str, Json]) -> list[bytes]:
        """Two of one choice without anything between them would overwrite each other, so the first goes out."""
        before = [self._chunk(choice, b"{}")] if choice in self._choice_extras else []
        self._choice_extras[choice] = dict(fields)
        return before

    def _left_over(self) -> list[bytes]:
        """Fields that no chunk came for."""
        out = [self._chunk(choice, b"{}") for choice in sorted(self._choice_extras)]
        if self._extras and not self._options.shows_usage:
            out.append(b'%b,"choices":[]%b}\n\n' % (self._head, self._take_extras()))
        return out

    def _greet(self, choice: int) -> list[bytes]:
        """The role, once for each choice."""
        if choice in self._greeted:
            return []
        self._greeted.add(choice)
        return [self._plain_chunk(choice, b'{"role":"assistant","content":""}')]

    def _open(self, event: PartStarted) -> list[bytes]:
        greeting = self._greet(event.choice)
        if event.kind is not PartKind.TOOL_CALL:
            self._places[event.part] = (event.choice, event.kind, 0)
            return greeting
        index = self._calls.get(event.choice, 0)
        self._calls[event.choice] = index + 1
        self._places[event.part] = (event.choice, event.kind, index)
        call_id = event.id or stand_in_id(f"{self._id}.{event.choice}", index)
        call = {"index": index} | encode_call(call_id, event.name, "")
        return [*greeting, self._chunk(event.choice, jsonx.encode({"tool_calls": [call]}))]

    def _delta(self, event: Delta) -> bytes:
        choice, kind, index = self._places[event.part]
        text = jsonx.encode(event.text)
        match kind:
            case PartKind.TOOL_CALL:
                template = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
                return self._chunk(choice, template % (index, text))
            case PartKind.REFUSAL:
                return self._chunk(choice, b'{"refusal":%b}' % text)
            case PartKind.REASONING if not self._options.merges_reasoning:
                return self._chunk(choice, b'{"reasoning_content":%b}' % text)
            case PartKind.REASONING:
                self._merged.add(choice)
            case PartKind.TEXT if choice in self._merged:
                self._merged.discard(choice)
                text = jsonx.encode("\n\n" + event.text)
            case PartKind.TEXT:
                pass
        return self._chunk(choice, b'{"content":%b}' % text)

    def _last_usage(self) -> list[bytes]:
        if not self._options.shows_usage:
            return []
        usage = jsonx.encode(encode_usage(self._usage))
        return [b'%b,"choices":[],"usage":%b%b}\n\n' % (self._head, usage, self._take_extras())]


def _appended(fields: Mapping[str, Json]) -> bytes:
    """Further fields for an object whose closing brace is still to come."""
    return b"," + jsonx.encode(fields)[1:-1] if fields else b""
