"""Chat Completions streams written: events to frames, the usual ones from templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
    UsageReported,
)
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.sse import encode_frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_chat.reply import (
    encode_call,
    stand_in_id,
)
from iflow_cli_proxy.protocols.openai_chat.wire import (
    DONE,
)
from iflow_cli_proxy.protocols.openai_errors import error_of_event
from iflow_cli_proxy.protocols.openai_stop import encode_stop
from iflow_cli_proxy.protocols.openai_usage import encode_usage

END_MARKER: Final = encode_frame(DONE)


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
                return [encode_frame(jsonx.encode(error_of_event(event)))]
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
