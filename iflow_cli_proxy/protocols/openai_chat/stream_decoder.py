"""Chat Completions streams read: frames to events. What has no part boundaries on the wire gets them here.

The decoder obeys the grammar whatever it is fed: it never raises and never hangs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    Sealed,
    Started,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.protocols.base import Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_answer import decode_head
from iflow_cli_proxy.protocols.openai_chat.calls import Call, Calls
from iflow_cli_proxy.protocols.openai_chat.reasoning import text_of, thought_of
from iflow_cli_proxy.protocols.openai_chat.reply import (
    arguments_of,
    stop_sequence_of,
    unmodelled,
)
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
from iflow_cli_proxy.protocols.openai_stop import decode_stop
from iflow_cli_proxy.protocols.openai_usage import decode_usage

_NOTHING_ELSE: Final = (None,) * 5


class _ChoiceState:
    """What is open in one choice: at most one running text, and any number of tool calls."""

    def __init__(self) -> None:
        self.running: tuple[PartKind, int] | None = None
        self.calls = Calls()
        self.open: list[int] = []
        self.nameless: list[tuple[Call, int]] = []
        """Calls that have begun and whose name is still to come."""
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
        if not plain and (more := self._more_text(answer)) is not None:
            return [more]
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

    def _more_text(self, answer: WireAnswer) -> Delta | None:
        """The usual chunk, which only has more of the text that is running; None for any other."""
        if answer.usage is not None or not answer.choices or len(answer.choices) > 1:
            return None
        wire = answer.choices[0]
        delta = wire.delta
        if delta is None or wire.finish_reason is not None or wire.message is not None:
            return None
        choice = self._choices.get(wire.index or 0)
        if choice is None or choice.is_ended or choice.running is None:
            return None
        kind, part = choice.running
        thought, said = delta.reasoning_content, delta.content
        if kind is PartKind.TEXT and isinstance(said, str) and said and not thought:
            text = said
        elif kind is PartKind.REASONING and thought and not said:
            text = thought
        else:
            return None
        others = (delta.reasoning, delta.reasoning_details, delta.refusal, delta.signature, delta.tool_calls)
        return Delta(part=part, text=text) if others == _NOTHING_ELSE else None

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
            yield decode_stop(wire.finish_reason, index, stop_sequence_of(wire))

    def _read_delta(self, choice: _ChoiceState, index: int, delta: WireDelta) -> Iterator[Event]:
        thought = thought_of(delta)
        if thought.text:
            yield from self._text(choice, index, PartKind.REASONING, thought.text)
        for kind, value in thought.seals.items():
            yield from self._switch(choice, index, PartKind.REASONING)
            if choice.running:
                yield Sealed(part=choice.running[1], kind=kind, value=value)
        if said := text_of(delta):
            yield from self._text(choice, index, PartKind.TEXT, said)
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
        name = (delta.function.name if delta.function else "") or ""
        call = choice.calls.find(delta)
        if call is None:
            yield from self._stop_running(choice)
            # An id that another call has already would make two of one.
            call = Call(self._parts, name, "" if choice.calls.is_used(delta.id or "") else delta.id or "")
            self._parts += 1
            choice.open.append(call.part)
            if name:
                yield from self._announce(call, index)
            else:
                choice.nameless.append((call, index))
        choice.calls.remember(delta, call)
        if not call.name and name:
            call.name, call.id = name, call.id or delta.id or ""
            choice.nameless.remove((call, index))
            yield from self._announce(call, index)
        if arguments := arguments_of(delta, is_first=not call.has_arguments):
            call.add(arguments)
            if call.name:
                yield Delta(part=call.part, text=arguments)
            else:
                call.held.append(arguments)

    @staticmethod
    def _announce(call: Call, index: int) -> Iterator[Event]:
        """A call begins when its name is known; what came before that follows."""
        yield PartStarted(part=call.part, kind=PartKind.TOOL_CALL, choice=index, id=call.id, name=call.name)
        if call.held:
            yield Delta(part=call.part, text="".join(call.held))

    def _close_parts(self, choice: _ChoiceState) -> Iterator[Event]:
        yield from self._stop_running(choice)
        for call, index in choice.nameless:
            yield from self._announce(call, index)
        choice.nameless = []
        for part in choice.open:
            yield PartEnded(part=part)
        choice.open = []
