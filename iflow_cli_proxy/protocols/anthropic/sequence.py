"""Parts as content blocks, one after the other: blocks never overlap, and their indices have no gaps.

The first open part goes out as it comes. What begins beside it waits until it has ended, except behind a call whose
arguments are whole already: nothing can follow them, so its block is closed at once. Thinking and text have no block
until there is something in them. Knows content events; refuses to know the message around them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Delta, PartEnded, PartKind, PartStarted, Sealed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import is_json
from iflow_cli_proxy.core.sse import encode_frame
from iflow_cli_proxy.protocols.anthropic.blocks import REDACTED, SIGNATURE

_LONGEST_TRIED: Final = 65_536
"""Characters of arguments that are parsed to see whether they are whole; a bound for what a stranger makes us do."""
_NULL: Final = "null"

_DELTA_HEADS: Final = {
    PartKind.TEXT: b'{"type":"text_delta","text":',
    PartKind.REFUSAL: b'{"type":"text_delta","text":',
    PartKind.REASONING: b'{"type":"thinking_delta","thinking":',
    PartKind.TOOL_CALL: b'{"type":"input_json_delta","partial_json":',
}


class _Block:
    """A part on its way out. `prefix` is what a delta of it begins with, empty until its block was begun."""

    __slots__ = ("is_signed", "pieces", "prefix", "shy", "size", "started", "waiting")

    def __init__(self, started: PartStarted) -> None:
        self.started = started
        self.prefix = b""
        self.is_signed = False
        self.shy = ""
        """Arguments so far that may yet be nothing but `null`."""
        self.pieces: list[str] = []
        """Its arguments, to see whether they are whole."""
        self.size = 0
        self.waiting: list[Delta | Sealed | PartEnded] = []


class Sequence:
    """Events of parts in, bytes of whole frames out."""

    __slots__ = ("_blocks", "_current", "_index", "_line", "calls", "characters")

    def __init__(self) -> None:
        self._current: _Block | None = None
        self._blocks: dict[int, _Block] = {}
        self._line: deque[_Block] = deque()
        """Those that wait, in the order in which they began."""
        self._index = -1
        self.calls = 0
        self.characters = 0

    def start(self, event: PartStarted) -> list[bytes]:
        """A call's id must be made up by now."""
        block = _Block(event)
        self.calls += event.kind is PartKind.TOOL_CALL
        self._blocks[event.part] = block
        out: list[bytes] = []
        if self._current is not None:
            if self._line or not _is_whole(self._current):
                self._line.append(block)
                return []
            out = self._end(self._current)
        self._current = block
        return out + self._begin_call(block)

    def add(self, event: Delta) -> list[bytes]:
        block = self._current
        if block is None or block.started.part != event.part:
            self._wait(event)
            return []
        self.characters += len(event.text)
        if block.started.kind is PartKind.TOOL_CALL:
            return self._add_arguments(block, event.text)
        if not event.text:
            return []
        text = jsonx.encode(event.text)
        if block.prefix:
            return [b"%b%b}}\n\n" % (block.prefix, text)]
        return [self._begin_text(block), b"%b%b}}\n\n" % (block.prefix, text)]

    def seal(self, event: Sealed) -> list[bytes]:
        """Seals on anything but thinking, and those of other protocols, have no place."""
        block = self._current
        if block is None or block.started.part != event.part:
            self._wait(event)
            return []
        if block.started.kind is not PartKind.REASONING:
            return []
        if event.kind == REDACTED:
            return [*self._close(block), *self._redacted(event.value)]
        if event.kind != SIGNATURE:
            return []
        begun = [] if block.prefix else [self._begin_text(block)]
        block.is_signed = True
        return [*begun, self._signature(event.value)]

    def end(self, event: PartEnded) -> list[bytes]:
        block = self._current
        if block is None or block.started.part != event.part:
            self._wait(event)
            return []
        out = self._end(block)
        while self._current is None and self._line:
            self._current = block = self._line.popleft()
            out += self._begin_call(block)
            for waiting in block.waiting:
                out += self._again(waiting)
        return out

    # --- order ----------------------------------------------------------------------------------------------------

    def _wait(self, event: Delta | Sealed | PartEnded) -> None:
        """Nothing is said of a part whose block was closed early, nor of one that was never started here."""
        if (block := self._blocks.get(event.part)) is not None:
            block.waiting.append(event)

    def _again(self, event: Delta | Sealed | PartEnded) -> list[bytes]:
        match event:
            case Delta():
                return self.add(event)
            case Sealed():
                return self.seal(event)
            case PartEnded():
                return self._end(self._blocks[event.part])

    def _end(self, block: _Block) -> list[bytes]:
        out = self._close(block)
        del self._blocks[block.started.part]
        self._current = None
        return out

    # --- frames ---------------------------------------------------------------------------------------------------

    def _begin(self, block: _Block, content: Json) -> bytes:
        self._index += 1
        template = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b'
        block.prefix = template % (self._index, _DELTA_HEADS[block.started.kind])
        return self._started(content)

    def _started(self, content: Json) -> bytes:
        value = {"type": "content_block_start", "index": self._index, "content_block": content}
        return encode_frame(jsonx.encode(value), "content_block_start")

    def _begin_text(self, block: _Block) -> bytes:
        if block.started.kind is PartKind.REASONING:
            block.is_signed = False
            return self._begin(block, {"type": "thinking", "thinking": "", "signature": ""})
        return self._begin(block, {"type": "text", "text": ""})

    def _begin_call(self, block: _Block) -> list[bytes]:
        """A call has a block from the start, as it means something without arguments too."""
        started = block.started
        if started.kind is not PartKind.TOOL_CALL:
            return []
        return [self._begin(block, {"type": "tool_use", "id": started.id, "name": started.name, "input": {}})]

    def _add_arguments(self, block: _Block, text: str) -> list[bytes]:
        """Blank arguments, and `null`, are no arguments: a client reads the pieces as one JSON object."""
        if not block.pieces:
            text = block.shy + text
            if _NULL.startswith(text.strip()):
                block.shy = text
                return []
        block.size += len(text)
        if block.size <= _LONGEST_TRIED or not block.pieces:
            block.pieces.append(text)
        return [b"%b%b}}\n\n" % (block.prefix, jsonx.encode(text))] if text else []

    def _close(self, block: _Block) -> list[bytes]:
        if not block.prefix:
            return []
        out = []
        if block.started.kind is PartKind.REASONING and not block.is_signed:
            out.append(self._signature(""))
        block.prefix = b""
        return [*out, self._stopped()]

    def _signature(self, value: str) -> bytes:
        delta = {"type": "signature_delta", "signature": value}
        event = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return encode_frame(jsonx.encode(event), "content_block_delta")

    def _redacted(self, data: str) -> list[bytes]:
        self._index += 1
        return [self._started({"type": "redacted_thinking", "data": data}), self._stopped()]

    def _stopped(self) -> bytes:
        return encode_frame(b'{"type":"content_block_stop","index":%d}' % self._index, "content_block_stop")


def _is_whole(block: _Block) -> bool:
    """Whether it is a call whose arguments are JSON already."""
    if block.started.kind is not PartKind.TOOL_CALL or not block.pieces or block.size > _LONGEST_TRIED:
        return False
    return is_json("".join(block.pieces))
