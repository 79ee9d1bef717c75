"""Messages streams written: events to frames."""

from __future__ import annotations

from typing import Final

import msgspec

from iflow_cli_proxy.core import jsonx
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
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.sse import encode_frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.errors import failure_event
from iflow_cli_proxy.protocols.anthropic.identity import call_id, message_id
from iflow_cli_proxy.protocols.anthropic.sequence import Sequence
from iflow_cli_proxy.protocols.anthropic.stop import encode_stop, hit_sequence
from iflow_cli_proxy.protocols.anthropic.usage import encode_usage, estimated
from iflow_cli_proxy.protocols.anthropic.wire import PROTOCOL
from iflow_cli_proxy.protocols.base import EncodeOptions

END_MARKER: Final = encode_frame(b'{"type":"message_stop"}', "message_stop")
PING: Final = encode_frame(b'{"type":"ping"}', "ping")


class StreamEncoder:
    """Events to frames. There is one answer, the first; a failed stream gets its error event and no message_stop."""

    def __init__(self, options: EncodeOptions) -> None:
        self._options = options
        self._started = Started()
        self._id = ""
        """Set when message_start has been written."""
        self._sequence = Sequence()
        self._end: ChoiceEnded | None = None
        self._usage: Usage | None = None
        self._extras: dict[str, Json] = {}
        """Unmodelled fields; they ride on message_start, or on message_delta if they come later."""

    def feed(self, event: Event, /) -> list[bytes]:
        match event:
            case Delta():
                return self._sequence.add(event)
            case PartStarted():
                return self._open(event)
            case PartEnded():
                return self._sequence.end(event)
            case Sealed():
                return self._sequence.seal(event)
            case Started():
                self._started = event
            case ChoiceEnded():
                if event.choice == 0:
                    self._end = event
            case UsageReported():
                self._usage = event.usage
            case Extra():
                if event.protocol == PROTOCOL and event.choice <= 0:
                    self._extras |= event.fields
            case Ended():
                return [*self._begin(), self._message_delta(), END_MARKER]
            case Failed():
                said = [*self._begin(), self._message_delta()] if self._end else []
                return [*said, failure_event(event)]
        return []

    def close(self) -> list[bytes]:
        return []

    def _open(self, event: PartStarted) -> list[bytes]:
        if event.choice != 0:
            return []
        begun = self._begin()
        if event.kind is PartKind.TOOL_CALL and not event.id:
            event = msgspec.structs.replace(event, id=call_id(self._id, self._sequence.calls))
        return [*begun, *self._sequence.start(event)]

    def _begin(self) -> list[bytes]:
        if self._id:
            return []
        options = self._options
        self._id = message_id(self._started.id, options.id)
        message: dict[str, Json] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._started.model or options.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": encode_usage(self._usage or Usage(prompt=options.prompt_tokens)),
        }
        value = {"type": "message_start", "message": message | self._take_extras()}
        return [encode_frame(jsonx.encode(value), "message_start")]

    def _message_delta(self) -> bytes:
        end, options = self._end or ChoiceEnded(), self._options
        hit = hit_sequence(end.stop_sequence, options.asked)
        reason = StopReason.END_TURN if end.reason is StopReason.STOP_SEQUENCE and not hit else end.reason
        delta: dict[str, Json] = {
            "stop_reason": encode_stop(reason, end.word, has_calls=self._sequence.calls > 0),
            "stop_sequence": hit or None,
        }
        usage = self._usage or estimated(options.prompt_tokens, self._sequence.characters)
        value = {"type": "message_delta", "delta": delta | self._take_extras(), "usage": encode_usage(usage)}
        return encode_frame(jsonx.encode(value), "message_delta")

    def _take_extras(self) -> dict[str, Json]:
        extras, self._extras = self._extras, {}
        return extras
