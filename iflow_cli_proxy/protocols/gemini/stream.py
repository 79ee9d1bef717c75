"""Gemini streams: frames to events and events to frames.

Every chunk is an answer of its own with a little of the content; usage stands beside the finish reason, which comes
last. There is no end marker. The decoder obeys the grammar whatever it is fed: it never raises and never hangs.
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
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.gemini.errors import failure_error
from iflow_cli_proxy.protocols.gemini.framing import Framing
from iflow_cli_proxy.protocols.gemini.reply import (
    decode_head,
    encode_call,
    encode_head,
    failure_of,
    kind_of,
    stand_in_id,
    unmodelled,
)
from iflow_cli_proxy.protocols.gemini.seals import decode_seals, encode_seals
from iflow_cli_proxy.protocols.gemini.settings import shows_thoughts
from iflow_cli_proxy.protocols.gemini.stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.gemini.usage import decode_usage, encode_usage
from iflow_cli_proxy.protocols.gemini.wire import (
    MODELLED_ANSWER,
    MODELLED_CANDIDATE,
    PROTOCOL,
    Answer,
    AnswerPart,
    Candidate,
    decode_answer,
)
from iflow_cli_proxy.protocols.judging import judged
from iflow_cli_proxy.protocols.whole_calls import HeldPart, HeldParts, arguments_text

# --- decode -------------------------------------------------------------------------------------------------------


class _CandidateState:
    """At most one text or thought is open; calls come whole."""

    def __init__(self) -> None:
        self.running: tuple[PartKind, int] | None = None
        self.has_calls = False
        self.is_sealed = False
        """The running thought has its signature; another one would be another thought's."""
        self.is_ended = False


class StreamDecoder:
    """Frames to events."""

    def __init__(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._asked = choices
        self._candidates: dict[int, _CandidateState] = {}
        self._parts = 0
        self._is_started = False
        self._is_over = False
        self._usage: Usage | None = None
        self._shown_usage: Usage | None = None
        self._shown_extras: dict[str, Json] = {}

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        try:
            answer = decode_answer(frame.data)
            plain = jsonx.decode_strict(frame.data)
        except JsonError:
            return self._fail(judged(frame.data, self._judge))
        if (failure := failure_of(answer, frame.data, self._judge, self._failing_words)) is not None:
            return self._fail(failure)
        if answer.candidates is None and answer.usage_metadata is None:
            return self._fail(judged(frame.data, self._judge))
        return list(self._read(answer, plain))

    def close(self) -> list[Event]:
        if self._is_over:
            return []
        ended = [one for one in self._candidates.values() if one.is_ended]
        if len(ended) < self._asked or len(ended) < len(self._candidates):
            has_content = self._parts > 0 or bool(ended)
            return self._fail(cut_short() if has_content else never_began())
        self._is_over = True
        return [*self._report_usage(), Ended()]

    def _fail(self, error: GatewayError) -> list[Event]:
        self._is_over = True
        return [*self._report_usage(), failed(error)]

    def _report_usage(self) -> Iterator[Event]:
        if self._usage is not None and self._usage != self._shown_usage and self._is_started:
            self._shown_usage = self._usage
            yield UsageReported(usage=self._usage)

    def _read(self, answer: Answer, plain: Mapping[str, Json]) -> Iterator[Event]:
        """Every chunk counts what was used so far; it is worth telling when an answer has ended."""
        if not self._is_started:
            self._is_started = True
            yield Started(**decode_head(answer))
        yield from self._read_extras(plain)
        self._usage = decode_usage(answer.usage_metadata) or self._usage
        for number, wire in enumerate(answer.candidates or ()):
            index = number if wire.index is None else wire.index
            yield from self._read_candidate(index, wire, plain["candidates"][number])
        if self._candidates and all(one.is_ended for one in self._candidates.values()):
            yield from self._report_usage()

    def _read_extras(self, plain: Mapping[str, Json]) -> Iterator[Event]:
        """Unmodelled fields of the chunk itself, each once for each value."""
        found = unmodelled(plain, MODELLED_ANSWER)
        new = {name: value for name, value in found.items() if self._shown_extras.get(name) != value}
        if new:
            self._shown_extras |= new
            yield Extra(protocol=PROTOCOL, fields=new)

    def _read_candidate(self, index: int, wire: Candidate, plain: Mapping[str, Json]) -> Iterator[Event]:
        state = self._candidates.setdefault(index, _CandidateState())
        if state.is_ended:
            return
        if extras := unmodelled(plain, MODELLED_CANDIDATE):
            yield Extra(protocol=PROTOCOL, fields=extras, choice=index)
        for part in wire.content.parts or () if wire.content else ():
            yield from self._read_part(state, index, part)
        if wire.finish_reason:
            yield from self._stop_running(state)
            state.is_ended = True
            yield decode_stop(wire.finish_reason, index, has_calls=state.has_calls)

    def _read_part(self, state: _CandidateState, index: int, wire: AnswerPart) -> Iterator[Event]:
        kind = kind_of(wire)
        if kind is PartKind.REASONING and wire.text:
            yield from self._text(state, index, kind, wire.text)
        yield from self._read_seals(state, index, wire.thought_signature or "")
        if wire.function_call is not None:
            call = wire.function_call
            state.has_calls = True
            yield from self._stop_running(state)
            yield PartStarted(part=self._parts, kind=kind, choice=index, id=call.id or "", name=call.name)
            if arguments := arguments_text(call.args):
                yield Delta(part=self._parts, text=arguments)
            yield PartEnded(part=self._parts)
            self._parts += 1
        elif kind is PartKind.TEXT and wire.text:
            yield from self._text(state, index, kind, wire.text)

    def _read_seals(self, state: _CandidateState, index: int, signature: str) -> Iterator[Event]:
        """A signature belongs to the thought before it, or to one without words."""
        seals = decode_seals(signature)
        if not seals:
            return
        if state.is_sealed:
            yield from self._stop_running(state)
        yield from self._switch(state, index, PartKind.REASONING)
        assert state.running is not None
        state.is_sealed = True
        for kind, value in seals.items():
            yield Sealed(part=state.running[1], kind=kind, value=value)

    def _text(self, state: _CandidateState, index: int, kind: PartKind, text: str) -> Iterator[Event]:
        if state.is_sealed:
            yield from self._stop_running(state)
        yield from self._switch(state, index, kind)
        assert state.running is not None
        yield Delta(part=state.running[1], text=text)

    def _switch(self, state: _CandidateState, index: int, kind: PartKind) -> Iterator[Event]:
        if state.running is not None and state.running[0] is kind:
            return
        yield from self._stop_running(state)
        state.running = (kind, self._parts)
        yield PartStarted(part=self._parts, kind=kind, choice=index)
        self._parts += 1

    @staticmethod
    def _stop_running(state: _CandidateState) -> Iterator[Event]:
        if state.running is not None:
            yield PartEnded(part=state.running[1])
            state.running = None
        state.is_sealed = False


# --- encode -------------------------------------------------------------------------------------------------------

_THOUGHT: Final = b',"thought":true'


class StreamEncoder:
    """Events to frames. What ends the answers waits for the usage, as clients look for both in one chunk."""

    def __init__(self, options: EncodeOptions, framing: Framing) -> None:
        self._options = options
        self._framing = framing
        self._shows_thoughts = shows_thoughts(options.asked)
        self._kind_mark = _THOUGHT if self._shows_thoughts else b""
        self._id = options.id
        self._tail = b""
        self._usage: Usage | None = None
        self._places: dict[int, tuple[int, PartKind]] = {}
        self._held = HeldParts()
        self._seals: dict[int, dict[str, str]] = {}
        """Of each answer, seals that wait for the part after their thought."""
        self._calls: dict[int, int] = {}
        self._ends: dict[int, ChoiceEnded] = {}
        self._extras: dict[str, Json] = {}
        self._choice_extras: dict[int, dict[str, Json]] = {}

    def feed(self, event: Event, /) -> list[bytes]:
        match event:
            case Delta():
                return self._delta(event)
            case PartStarted():
                return self._start_part(event)
            case PartEnded():
                return self._end_part(event)
            case Started():
                self._start(event)
            case Sealed():
                self._seal(event)
            case ChoiceEnded():
                self._ends[event.choice] = event
                return self._left_over_seals(event.choice)
            case UsageReported():
                self._usage = event.usage
            case Extra(protocol="gemini") if event.choice < 0:
                self._extras |= event.fields
            case Extra(protocol="gemini"):
                return self._keep(event.choice, event.fields)
            case Ended():
                return [*self._last_chunk(), *self._framing.end()]
            case Failed():
                return [self._framing.error(failure_error(event))]
            case Extra():
                pass
        return []

    def close(self) -> list[bytes]:
        return []

    def _start(self, event: Started) -> None:
        options = self._options
        self._id = event.id or options.id
        head = encode_head(self._id, event.model or options.model, event.created or options.created)
        self._tail = jsonx.encode(head)[1:]

    # --- parts ----------------------------------------------------------------------------------------------------

    def _start_part(self, event: PartStarted) -> list[bytes]:
        self._places[event.part] = (event.choice, event.kind)
        self._held.start(event)
        is_next_thought = event.kind is PartKind.REASONING and not self._held.holds(event.part)
        return self._left_over_seals(event.choice) if is_next_thought else []

    def _delta(self, event: Delta) -> list[bytes]:
        if self._held.holds(event.part):
            self._held.add(event)
            return []
        choice, kind = self._places[event.part]
        return self._text(choice, kind, event.text)

    def _text(self, choice: int, kind: PartKind, text: str) -> list[bytes]:
        if not text:
            return []
        if kind is PartKind.REASONING:
            if not self._shows_thoughts:
                return []
            return [self._chunk(choice, b'{"text":%b%b}' % (jsonx.encode(text), _THOUGHT))]
        if self._seals:
            return [self._chunk(choice, b'{"text":%b%b}' % (jsonx.encode(text), self._signed(choice)))]
        return [self._chunk(choice, b'{"text":%b}' % jsonx.encode(text))]

    def _seal(self, event: Sealed) -> None:
        if self._held.holds(event.part):
            self._held.seal(event)
            return
        seals = self._seals.setdefault(self._places[event.part][0], {})
        seals[event.kind] = seals.get(event.kind, "") + event.value

    def _signed(self, choice: int) -> bytes:
        """The field with the seals that wait, empty when none do."""
        seals = self._seals.pop(choice, None)
        return b',"thoughtSignature":%b' % jsonx.encode(encode_seals(seals)) if seals else b""

    def _end_part(self, event: PartEnded) -> list[bytes]:
        if not self._held.holds(event.part):
            return []
        return [chunk for part in self._held.end(event) for chunk in self._release(part)]

    def _release(self, part: HeldPart) -> list[bytes]:
        started = part.started
        choice = started.choice
        if part.is_call:
            self._add_seals(choice, part.seals)
            number = self._calls.get(choice, 0)
            self._calls[choice] = number + 1
            call_id = started.id or stand_in_id(f"{self._id}.{choice}", number)
            call = jsonx.encode(encode_call(call_id, started.name, part.text))
            return [self._chunk(choice, b"%b%b}" % (call[:-1], self._signed(choice)))]
        out = self._left_over_seals(choice) if started.kind is PartKind.REASONING else []
        out += self._text(choice, started.kind, part.text)
        self._add_seals(choice, part.seals)
        return out

    def _add_seals(self, choice: int, seals: Mapping[str, str]) -> None:
        if seals:
            self._seals[choice] = self._seals.get(choice, {}) | dict(seals)

    def _left_over_seals(self, choice: int) -> list[bytes]:
        """In a part of their own, when none comes that could carry them."""
        if choice not in self._seals:
            return []
        return [self._chunk(choice, b'{"text":""%b%b}' % (self._kind_mark, self._signed(choice)))]

    # --- chunks ---------------------------------------------------------------------------------------------------

    def _chunk(self, choice: int, part: bytes) -> bytes:
        more = self._choice_extras.pop(choice, None) if self._choice_extras else None
        template = b'{"content":{"parts":[%b],"role":"model"},"index":%d%b}'
        return self._answer(template % (part, choice, _appended(more) if more else b""))

    def _answer(self, candidates: bytes, usage: bytes = b"") -> bytes:
        extras = b""
        if self._extras:
            extras, self._extras = _appended(self._extras), {}
        return self._framing.frame(b'{"candidates":[%b]%b%b,%b' % (candidates, usage, extras, self._tail))

    def _keep(self, choice: int, fields: Mapping[str, Json]) -> list[bytes]:
        """Two of one answer without anything between them would overwrite each other, so the first goes out."""
        before = self._choice_extras.get(choice)
        self._choice_extras[choice] = dict(fields)
        return [self._answer(jsonx.encode({"index": choice} | before))] if before else []

    def _last_chunk(self) -> list[bytes]:
        choices = {choice for choice, _ in self._places.values()} | self._ends.keys() | self._choice_extras.keys()
        if not choices and self._usage is None and not self._extras:
            return []
        candidates = b",".join(jsonx.encode(self._end(choice)) for choice in sorted(choices))
        usage = b"" if self._usage is None else b',"usageMetadata":%b' % jsonx.encode(encode_usage(self._usage))
        return [self._answer(candidates, usage)]

    def _end(self, choice: int) -> dict[str, Json]:
        """A good stream may have given no reason; clients take an answer without one for cut."""
        ended = self._ends.get(choice) or ChoiceEnded(choice=choice)
        content = {"parts": [{"text": ""}], "role": "model"}
        candidate = {"content": content, "index": choice, "finishReason": encode_stop(ended.reason, ended.word)}
        return candidate | self._choice_extras.pop(choice, {})


def _appended(fields: Mapping[str, Json]) -> bytes:
    """Further fields for an object whose closing brace is still to come."""
    return b"," + jsonx.encode(fields)[1:-1] if fields else b""
