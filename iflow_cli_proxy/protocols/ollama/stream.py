"""Ollama streams: frames to events and events to lines.

Every line is an object with a little of the content; the last one has `done` and the counts. The decoder obeys the
grammar whatever it is fed: it never raises and never hangs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, cut_short, never_began, of_kind
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
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.ollama.errors import stream_error
from iflow_cli_proxy.protocols.ollama.reply import (
    arguments_of,
    decode_head,
    encode_call,
    encode_durations,
    encode_head,
    shows_thinking,
    stand_in_id,
    unmodelled,
)
from iflow_cli_proxy.protocols.ollama.request import GENERATE
from iflow_cli_proxy.protocols.ollama.stop import decode_stop, encode_stop
from iflow_cli_proxy.protocols.ollama.usage import decode_usage, encode_usage
from iflow_cli_proxy.protocols.ollama.wire import PROTOCOL, Answer, AnswerCall, AnswerMessage, decode_answer
from iflow_cli_proxy.protocols.whole_calls import HeldPart, HeldParts

# --- decode -------------------------------------------------------------------------------------------------------


class StreamDecoder:
    """Frames to events. Nothing has started before the first line that says something: empty ones are pings."""

    def __init__(self, judge: Judge, failing_words: frozenset[str]) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._running: tuple[PartKind, int] | None = None
        self._parts = 0
        self._has_calls = False
        self._is_started = False
        self._is_over = False

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        try:
            answer = decode_answer(frame.data)
            plain = jsonx.decode_strict(frame.data)
        except JsonError:
            return [self._fail(judged(frame.data, self._judge))]
        message = answer.as_message()
        if answer.error or message is None:
            return [self._fail(judged(frame.data, self._judge))]
        if answer.done_reason in self._failing_words:
            return [self._fail(reported_failure(answer.done_reason or "", frame.data, self._judge))]
        return list(self._read(answer, message, unmodelled(plain)))

    def close(self) -> list[Event]:
        if self._is_over:
            return []
        return [self._fail(cut_short() if self._is_started else never_began())]

    def _fail(self, error: GatewayError) -> Failed:
        self._is_over = True
        return failed(error)

    def _read(self, answer: Answer, message: AnswerMessage, extras: Mapping[str, Json]) -> Iterator[Event]:
        is_news = message.thinking or message.content or message.tool_calls or answer.done or extras
        if not is_news:
            return
        if not self._is_started:
            self._is_started = True
            yield Started(**decode_head(answer))
        if extras:
            yield Extra(protocol=PROTOCOL, fields=extras, choice=0)
        if message.thinking:
            yield from self._text(PartKind.REASONING, message.thinking)
        if message.content:
            yield from self._text(PartKind.TEXT, message.content)
        for call in message.tool_calls or ():
            yield from self._call(call)
        if answer.done:
            yield from self._end(answer)

    def _end(self, answer: Answer) -> Iterator[Event]:
        self._is_over = True
        yield from self._stop_running()
        yield decode_stop(answer.done_reason or "stop", has_calls=self._has_calls)
        usage = decode_usage(answer.prompt_eval_count, answer.eval_count)
        if usage is not None:
            yield UsageReported(usage=usage)
        yield Ended()

    def _text(self, kind: PartKind, text: str) -> Iterator[Event]:
        if self._running is None or self._running[0] is not kind:
            yield from self._stop_running()
            self._running = (kind, self._parts)
            yield PartStarted(part=self._parts, kind=kind)
            self._parts += 1
        yield Delta(part=self._running[1], text=text)

    def _call(self, call: AnswerCall) -> Iterator[Event]:
        self._has_calls = True
        yield from self._stop_running()
        yield PartStarted(part=self._parts, kind=PartKind.TOOL_CALL, id=call.id or "", name=call.function.name)
        if arguments := arguments_of(call):
            yield Delta(part=self._parts, text=arguments)
        yield PartEnded(part=self._parts)
        self._parts += 1

    def _stop_running(self) -> Iterator[Event]:
        if self._running is not None:
            yield PartEnded(part=self._running[1])
            self._running = None


# --- encode -------------------------------------------------------------------------------------------------------


class StreamEncoder:
    """Events to lines, of the first answer. The last line waits for the usage, which stands in it."""

    def __init__(self, options: EncodeOptions, flavor: str) -> None:
        self._options = options
        self._is_chat = flavor != GENERATE
        self._shows_thinking = shows_thinking(options.asked)
        self._id = options.id
        self._head = b""
        self._kinds: dict[int, PartKind] = {}
        self._held = HeldParts()
        self._calls = 0
        self._end = ChoiceEnded()
        self._usage: Usage | None = None
        self._extras: dict[str, Json] = {}
        self._content_after_s: float | None = None

    def feed(self, event: Event, /) -> list[bytes]:
        match event:
            case Delta():
                return self._delta(event)
            case PartStarted(choice=0):
                self._kinds[event.part] = event.kind
                self._held.start(event)
            case PartEnded() if self._held.holds(event.part):
                return [line for part in self._held.end(event) for line in self._release(part)]
            case Started():
                self._start(event)
            case ChoiceEnded(choice=0):
                self._end = event
            case UsageReported():
                self._usage = event.usage
            case Extra(protocol="ollama") if event.choice <= 0:
                return self._keep(event)
            case Ended():
                return [self._last_line()]
            case Failed():
                return [stream_error(of_kind(event.kind, event.message))]
            case _:
                pass
        return []

    def close(self) -> list[bytes]:
        return []

    def _start(self, event: Started) -> None:
        options = self._options
        self._id = event.id or options.id
        self._head = jsonx.encode(encode_head(event.model or options.model, event.created or options.created))[:-1]

    def _delta(self, event: Delta) -> list[bytes]:
        kind = self._kinds.get(event.part)
        if kind is None:
            return []
        if self._held.holds(event.part):
            self._held.add(event)
            return []
        return self._text(kind, event.text)

    def _release(self, part: HeldPart) -> list[bytes]:
        if not part.is_call:
            return self._text(part.started.kind, part.text)
        call_id = part.started.id or stand_in_id(self._id, self._calls)
        call = encode_call(self._calls, call_id, part.started.name, part.text)
        self._calls += 1
        return [self._line(b'""', b',"tool_calls":[%b]' % jsonx.encode(call))]

    def _text(self, kind: PartKind, text: str) -> list[bytes]:
        if not text:
            return []
        if kind is not PartKind.REASONING:
            return [self._line(jsonx.encode(text))]
        return [self._line(b'""', b',"thinking":%b' % jsonx.encode(text))] if self._shows_thinking else []

    def _line(self, text: bytes, beside: bytes = b"", after: bytes = b',"done":false}\n') -> bytes:
        if self._content_after_s is None and self._options.elapsed_s is not None:
            self._content_after_s = self._options.elapsed_s()
        if self._extras:
            extras, self._extras = self._extras, {}
            after = b",%b%b" % (jsonx.encode(extras)[1:-1], after)
        if self._is_chat:
            return b'%b,"message":{"role":"assistant","content":%b%b}%b' % (self._head, text, beside, after)
        return b'%b,"response":%b%b%b' % (self._head, text, beside, after)

    def _keep(self, event: Extra) -> list[bytes]:
        """Two without anything between them might overwrite each other, so the first goes out."""
        before = [self._line(b'""')] if self._extras else []
        self._extras = dict(event.fields)
        return before

    def _last_line(self) -> bytes:
        last: dict[str, Json] = {"done": True, "done_reason": encode_stop(self._end.reason, self._end.word)}
        last |= encode_durations(self._options, self._content_after_s)
        if self._usage is not None:
            last |= encode_usage(self._usage)
        return self._line(b'""', after=b",%b\n" % jsonx.encode(last)[1:])
