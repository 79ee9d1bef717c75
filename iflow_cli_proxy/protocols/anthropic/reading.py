"""Messages streams read: frames to events.

The decoder obeys the grammar whatever it is fed: it never raises and never hangs. Blocks come one after the other, so
at most one part is open; a text or a thinking begins as a part when there is something of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, Malformed, cut_short, never_began
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
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.blocks import REDACTED, SIGNATURE
from iflow_cli_proxy.protocols.anthropic.reply import unmodelled
from iflow_cli_proxy.protocols.anthropic.stop import decode_stop, unsaid_stop
from iflow_cli_proxy.protocols.anthropic.usage import Counter
from iflow_cli_proxy.protocols.anthropic.wire import (
    MODELLED_END,
    PROTOCOL,
    WireEvent,
    WireHead,
    WireReplyBlock,
    decode_event,
)
from iflow_cli_proxy.protocols.base import Judge
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.whole_calls import arguments_text

_KINDS: Final = {
    "text": PartKind.TEXT,
    "thinking": PartKind.REASONING,
    "redacted_thinking": PartKind.REASONING,
    "tool_use": PartKind.TOOL_CALL,
}


class _OpenBlock:
    """The block that is being sent. `part` is None until it has something in it, and for good if it is no part."""

    __slots__ = ("kind", "part", "whole_input")

    def __init__(self, kind: PartKind | None) -> None:
        self.kind = kind
        self.part: int | None = None
        self.whole_input = ""
        """Arguments that came with the start of the block; they count when no pieces follow."""


class StreamDecoder:
    """Frames to events."""

    def __init__(self, judge: Judge, failing_words: frozenset[str]) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._counter = Counter()
        self._reported: Usage | None = None
        self._block: _OpenBlock | None = None
        self._parts = 0
        self._has_calls = False
        self._is_started = False
        self._is_ended = False
        self._is_over = False

    def feed(self, frame: Frame, /) -> list[Event]:
        if self._is_over:
            return []
        try:
            event = decode_event(frame.data)
            return list(self._read(event, frame.data))
        except JsonError:
            return [self._fail(judged(frame.data, self._judge))]

    def close(self) -> list[Event]:
        if self._is_over:
            return []
        if self._is_ended:
            self._is_over = True
            return [Ended()]
        return [self._fail(cut_short() if self._parts else never_began())]

    def _fail(self, error: GatewayError) -> Failed:
        self._is_over = True
        return failed(error)

    def _read(self, event: WireEvent, data: bytes) -> Iterator[Event]:
        match event.type:
            case "content_block_delta":
                yield from self._read_delta(event)
            case "content_block_start":
                yield from self._open_block(event.content_block)
            case "content_block_stop":
                yield from self._close_block()
            case "message_start":
                plain = jsonx.decode_strict(data)
                yield from self._start(event.message, plain.get("message") or {})
            case "message_delta":
                yield from self._read_end(event, data)
            case "message_stop":
                yield from self._stop()
            case "error":
                yield self._fail(judged(data, self._judge))
            case _:
                pass  # ping, and what is still to be invented

    # --- the message ----------------------------------------------------------------------------------------------

    def _start(self, head: WireHead | None, plain: Mapping[str, Json]) -> Iterator[Event]:
        if self._is_started:
            return
        self._is_started = True
        head = head or WireHead()
        self._counter.take(head.usage)
        yield Started(id=head.id or "", model=head.model or "")
        if extras := unmodelled(plain):
            yield Extra(protocol=PROTOCOL, fields=extras)

    def _read_end(self, event: WireEvent, data: bytes) -> Iterator[Event]:
        """The reason and the counts; either may come alone, or once more."""
        plain = jsonx.decode_strict(data)
        word = (event.delta.stop_reason if event.delta else None) or ""
        if word in self._failing_words and not self._is_ended:
            yield self._fail(reported_failure(word, data, self._judge))
            return
        yield from self._start(None, {})
        extras = unmodelled(plain.get("delta") or {})
        extras |= {name: value for name, value in plain.items() if name not in MODELLED_END and value is not None}
        if extras:
            yield Extra(protocol=PROTOCOL, fields=extras)
        if word and not self._is_ended:
            yield from self._close_block()
            self._is_ended = True
            yield decode_stop(word, (event.delta.stop_sequence if event.delta else None) or "")
        self._counter.take(event.usage)
        yield from self._report()

    def _stop(self) -> Iterator[Event]:
        """Some servers end in due form without having said why."""
        if not self._is_ended:
            if self._block is not None or not self._parts:
                yield self._fail(cut_short() if self._parts else never_began())
                return
            yield unsaid_stop(has_calls=self._has_calls)
            yield from self._report()
        self._is_over = True
        yield Ended()

    def _report(self) -> Iterator[Event]:
        usage = self._counter.usage
        if usage is not None and usage != self._reported:
            self._reported = usage
            yield UsageReported(usage=usage)

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _open_block(self, wire: WireReplyBlock | None) -> Iterator[Event]:
        if wire is None or self._is_ended:
            return
        yield from self._start(None, {})
        yield from self._close_block()
        self._block = block = _OpenBlock(_KINDS.get(wire.type))
        if block.kind is PartKind.TOOL_CALL:
            self._has_calls = True
            block.whole_input = arguments_text(wire.input) if isinstance(wire.input, dict) else ""
            yield from self._begin(block, wire)
        elif block.kind is not None:
            if text := wire.text or wire.thinking:
                yield from self._add(block, text)
            if seal := wire.signature or wire.data:
                yield from self._seal(block, REDACTED if wire.data else SIGNATURE, seal)

    def _read_delta(self, event: WireEvent) -> Iterator[Event]:
        block, delta = self._block, event.delta
        if self._is_ended or delta is None:
            return
        if block is None:
            yield self._fail(Malformed("The upstream sent a piece of a block that had not begun."))
            return
        if block.kind is None:
            return
        if text := delta.text or delta.thinking or delta.partial_json:
            block.whole_input = ""
            yield from self._add(block, text)
        if delta.signature:
            yield from self._seal(block, SIGNATURE, delta.signature)

    def _begin(self, block: _OpenBlock, wire: WireReplyBlock) -> Iterator[Event]:
        block.part = self._parts
        self._parts += 1
        kind = block.kind or PartKind.TEXT
        yield PartStarted(part=block.part, kind=kind, id=wire.id or "", name=wire.name or "")

    def _add(self, block: _OpenBlock, text: str) -> Iterator[Event]:
        if block.part is None:
            yield from self._begin(block, WireReplyBlock(type=""))
        if block.part is not None:
            yield Delta(part=block.part, text=text)

    def _seal(self, block: _OpenBlock, kind: str, value: str) -> Iterator[Event]:
        if block.kind is not PartKind.REASONING:
            return
        if block.part is None:
            yield from self._begin(block, WireReplyBlock(type=""))
        if block.part is not None:
            yield Sealed(part=block.part, kind=kind, value=value)

    def _close_block(self) -> Iterator[Event]:
        block, self._block = self._block, None
        if block is not None and block.part is not None:
            if block.whole_input:
                yield Delta(part=block.part, text=block.whole_input)
            yield PartEnded(part=block.part)
