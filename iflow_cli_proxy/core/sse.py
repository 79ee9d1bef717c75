"""Server-sent events: bytes to frames and back (WHATWG HTML, section 9.2).

Survives any split of the bytes, CR, LF and CRLF, `data:` without a space, comments, a byte order mark, several events
in one read, and a missing blank line at the end. As the specification asks, bytes that are not UTF-8 become U+FFFD, so
whatever is passed on is text. Knows nothing of JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import Malformed

EVENT_STREAM: Final = "text/event-stream; charset=utf-8"
MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


class Frame(msgspec.Struct, frozen=True):
    """One event. `data` is the joined data lines; from a Framer it is valid UTF-8 and not empty."""

    data: bytes
    event: str = ""


class Framer:
    """Bytes in, frames out; comments and empty events are dropped.

    Raises:
        Malformed: an event grew past `max_event_bytes`; what came before it has been handed out.
    """

    __slots__ = ("_ends_in_cr", "_is_started", "_max_event_bytes", "_pieces", "_size")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._pieces: list[bytes] = []
        """What has come of the event that is not whole yet; joined once, however many pieces it takes."""
        self._size = 0
        self._ends_in_cr = False
        self._is_started = False
        self._max_event_bytes = max_event_bytes

    def feed(self, chunk: bytes, /) -> list[Frame]:
        if not chunk:
            return []
        self._check_size()
        if b"\r" in chunk or self._ends_in_cr:
            chunk = self._with_plain_lines(chunk)
        if not self._is_started:
            chunk = self._without_mark(chunk)
        pieces = self._pieces
        if b"\n\n" not in chunk and not (pieces and pieces[-1].endswith(b"\n") and chunk.startswith(b"\n")):
            self._keep(chunk)
            self._check_size()
            return []
        if pieces:
            chunk = b"".join((*pieces, chunk))
        *blocks, rest = chunk.split(b"\n\n")
        self._pieces, self._size = [], 0
        self._keep(rest)
        if not chunk.isascii():
            blocks = [_repaired(block) for block in blocks]
        frames = []
        for block in blocks:
            # The usual event is one data line; anything else takes the long way.
            if block.startswith(b"data:") and b"\n" not in block:
                if data := block[6:] if block.startswith(b" ", 5) else block[5:]:
                    frames.append(Frame(data))
            elif (frame := _long_way(block)) is not None:
                frames.append(frame)
        return frames

    def close(self) -> list[Frame]:
        """The event that lacks its blank line, if there is one; whether it is whole is for the decoder to see."""
        block, self._pieces, self._size = b"".join(self._pieces), [], 0
        frame = _long_way(_repaired(block))
        return [] if frame is None else [frame]

    def _with_plain_lines(self, chunk: bytes) -> bytes:
        """CR and CRLF as LF; of a CRLF cut in two, the LF that comes later is swallowed."""
        if self._ends_in_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._ends_in_cr = False
                return chunk
        self._ends_in_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_mark(self, chunk: bytes) -> bytes:
        whole = b"".join((*self._pieces, chunk))
        if len(whole) < len(_BOM) and _BOM.startswith(whole):
            return chunk
        self._is_started = True
        if whole.startswith(_BOM):
            self._pieces, self._size = [], 0
            return whole[len(_BOM) :]
        return chunk

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def _check_size(self) -> None:
        if self._size > self._max_event_bytes:
            raise Malformed("The upstream sent an event that is too large.")


def encode_frame(data: bytes, event: str = "") -> bytes:
    """One frame on the wire; `data` must not hold line ends (compact JSON does not)."""
    if event:
        return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
    return b"data: %b\n\n" % data


def _long_way(block: bytes) -> Frame | None:
    data: list[bytes] = []
    event = ""
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    joined = b"\n".join(data)
    return Frame(joined, event) if joined else None


def _repaired(block: bytes) -> bytes:
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode("utf-8", "replace").encode()
    return block
