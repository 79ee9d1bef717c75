"""Messages streams that are passed through: looked at, not rebuilt.

What the tap lets through means to the client what decoding and encoding it again would have meant.
"""

from __future__ import annotations

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.usage import Counter
from iflow_cli_proxy.protocols.anthropic.wire import WireEvent, decode_event
from iflow_cli_proxy.protocols.base import Judge, Seen
from iflow_cli_proxy.protocols.judging import judged, reported_failure


class StreamTap:
    """Looks at each frame of a stream that is passed on as it is."""

    __slots__ = ("_counter", "_failing_words", "_judge", "is_finished")

    def __init__(self, judge: Judge, failing_words: frozenset[str]) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._counter = Counter()
        self.is_finished = False

    @property
    def usage(self) -> Usage | None:
        return self._counter.usage

    def look(self, data: bytes) -> Seen:
        try:
            event = decode_event(data)
        except JsonError as error:
            raise judged(data, self._judge) from error
        match event.type:
            case "content_block_delta" | "content_block_start" | "content_block_stop":
                return Seen.NOTHING if self.is_finished else Seen.CONTENT
            case "message_start":
                self._counter.take(event.message.usage if event.message else None)
                return Seen.QUIET
            case "message_delta":
                return self._look_at_end(event, data)
            case "message_stop":
                return Seen.DONE
            case "error":
                raise judged(data, self._judge)
            case _:
                return Seen.QUIET

    def _look_at_end(self, event: WireEvent, data: bytes) -> Seen:
        """The reason and the counts; either may come alone, or once more."""
        self._counter.take(event.usage)
        word = event.delta.stop_reason if event.delta else None
        if not word or self.is_finished:
            return Seen.USAGE
        if word in self._failing_words:
            raise reported_failure(word, data, self._judge)
        self.is_finished = True
        return Seen.CONTENT


def carries_content(data: bytes) -> bool:
    """Whether a good frame shows the client anything: text, thinking, a call, an end. The start of a text does not."""
    try:
        event = decode_event(data)
    except JsonError as error:
        raise Malformed("The upstream sent an event that is not part of an answer.", detail=error.what) from error
    if block := event.content_block:
        return block.type not in ("text", "thinking") or bool(block.text or block.thinking)
    delta = event.delta
    return delta is not None and bool(
        delta.text or delta.thinking or delta.partial_json or delta.signature or delta.stop_reason
    )


def carries_reasoning(data: bytes) -> bool:
    """Whether a good frame belongs to a block of thinking; its end does not say whose it is."""
    try:
        event = decode_event(data)
    except JsonError:
        return False
    if block := event.content_block:
        return block.type in ("thinking", "redacted_thinking")
    delta = event.delta
    return delta is not None and bool(delta.thinking or delta.signature)
