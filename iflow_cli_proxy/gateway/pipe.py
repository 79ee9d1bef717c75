"""What happens to a stream between upstream and client: two pipes of one shape, a fast one and a slow one.

Pure: chunks of bytes in, whole frames for the client out. The law, tested on every golden: both mean the same thing.
Only whole, examined events leave a pipe, so a client never sees half an event of an upstream that broke off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from iflow_cli_proxy.core.errors import GatewayError, cut_short, never_began
from iflow_cli_proxy.core.events import ChoiceEnded, Delta, Ended, Event, Failed, PartKind, PartStarted, UsageReported
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import Stage
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Codec, Seen, Tap


class Pipe(Protocol):
    """Feed it chunks, then `end()`; afterwards `failure` says whether the stream was good.

    `has_content` turns true with the first event a client can see: the commit point. `is_over` means that nothing
    further will be taken in. What `feed` and `end` answer stays good even when they set `failure`.
    """

    has_content: bool
    is_over: bool
    failure: GatewayError | None

    @property
    def is_complete(self) -> bool:
        """Every answer that was asked for has said why it ended; only usage and the end marker may be missing."""
        ...

    @property
    def characters(self) -> int:
        """About how much text passed, the stand-in for a count of tokens nobody reported."""
        ...

    @property
    def is_thinking(self) -> bool:
        """What passed last is the model's reasoning. For whoever looks now and then: it may be found out only then."""
        ...

    @property
    def usage(self) -> Usage | None: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class FastPipe:
    """Same protocol on both sides: frames are looked at and passed on, not rebuilt."""

    def __init__(self, codec: Codec, tap: Tap, *, shows_usage: bool) -> None:
        self.has_content = False
        self.is_over = False
        self.failure: GatewayError | None = None
        self._frames = 0
        self._frame_bytes = 0
        self._smallest_bytes = 0
        self._latest = b""
        self._codec = codec
        self._tap = tap
        self._shows_usage = shows_usage
        self._framer = codec.framer()

    @property
    def is_complete(self) -> bool:
        return self._tap.is_finished

    @property
    def characters(self) -> int:
        """What the frames carry beyond the smallest of them, which is all envelope, and one for each."""
        return self._frame_bytes - self._frames * self._smallest_bytes + self._frames

    @property
    def is_thinking(self) -> bool:
        return bool(self._latest) and self._codec.carries_reasoning(self._latest)

    @property
    def usage(self) -> Usage | None:
        return self._tap.usage

    def feed(self, chunk: bytes) -> bytes:
        try:
            frames = self._framer.feed(chunk)
        except GatewayError as error:
            self._fail(error)
            return b""
        return self._pass_on(frames)

    def end(self) -> bytes:
        out = self._pass_on(self._framer.close())
        if self.is_over:
            return out
        self.is_over = True
        if self._tap.is_finished:
            return out + self._codec.end_marker
        self.failure = cut_short() if self.has_content else never_began()
        return out

    def _pass_on(self, frames: Iterable[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            data = frame.data
            try:
                seen = self._tap.look(data)
            except GatewayError as error:
                self._fail(error)
                break
            if seen is Seen.DONE:
                self._finish(out)
                break
            if seen is Seen.NOTHING or (seen is Seen.USAGE and not self._shows_usage):
                continue
            if seen is Seen.CONTENT:
                self._latest = data
                if not self.has_content:
                    self.has_content = self._codec.carries_content(data)
            self._count(len(data))
            if b"\n" in data:
                data = data.replace(b"\n", b"\ndata: ")
            if frame.event:
                out += (b"event: ", frame.event.encode(), b"\n")
            out += (b"data: ", data, b"\n\n")
        return b"".join(out)

    def _count(self, size: int) -> None:
        self._smallest_bytes = min(self._smallest_bytes, size) if self._frames else size
        self._frame_bytes += size
        self._frames += 1

    def _finish(self, out: list[bytes]) -> None:
        self.is_over = True
        if self._tap.is_finished or self.has_content:
            out.append(self._codec.end_marker)
        else:
            self.failure = never_began()

    def _fail(self, error: GatewayError) -> None:
        self.is_over = True
        self.failure = error


class SlowPipe:
    """Different protocols, or content that must change: frames to events to frames."""

    def __init__(
        self,
        framer: Stage[bytes, Frame],
        decoder: Stage[Frame, Event],
        encoder: Stage[Event, bytes],
        error_of: Callable[[Failed], GatewayError],
        choices: int = 1,
    ) -> None:
        """`error_of` gives the error behind the event that ends a stream."""
        self.has_content = False
        self.is_over = False
        self.failure: GatewayError | None = None
        self.characters = 0
        self.is_thinking = False
        self.usage: Usage | None = None
        self._framer = framer
        self._decoder = decoder
        self._encoder = encoder
        self._error_of = error_of
        self._asked = choices
        self._choices: set[int] = set()
        self._ended: set[int] = set()

    @property
    def is_complete(self) -> bool:
        return len(self._ended) >= self._asked and self._choices == self._ended

    def feed(self, chunk: bytes) -> bytes:
        try:
            frames = self._framer.feed(chunk)
        except GatewayError as error:
            self.is_over = True
            self.failure = error
            return b""
        return self._translate(frames)

    def end(self) -> bytes:
        out = self._translate(self._framer.close())
        if not self.is_over:
            out += self._encode(self._decoder.close())
        return out

    def _translate(self, frames: Iterable[Frame]) -> bytes:
        out = []
        for frame in frames:
            if self.is_over:
                break
            out.append(self._encode(self._decoder.feed(frame)))
        return b"".join(out)

    def _encode(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            match event:
                case Failed():
                    self.is_over = True
                    self.failure = self._error_of(event)
                    break  # the caller decides in which form the client hears of it
                case Ended():
                    self.is_over = True
                    if not self.has_content:
                        self.failure = never_began()
                        break
                case Delta():
                    self.has_content = True
                    self.characters += len(event.text)
                case PartStarted():
                    self._choices.add(event.choice)
                    self.is_thinking = event.kind is PartKind.REASONING
                    self.has_content = self.has_content or event.kind is PartKind.TOOL_CALL
                case ChoiceEnded():
                    self._choices.add(event.choice)
                    self._ended.add(event.choice)
                    self.has_content = True
                case UsageReported():
                    self.usage = event.usage
                case _:
                    pass
            out += self._encoder.feed(event)
        return b"".join(out)
