"""The two forms of a Gemini stream: server-sent events, and one JSON array that grows (without `alt=sse`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.sse import encode_frame
from iflow_cli_proxy.protocols.gemini.errors import error_object, stream_error


class Framing(Protocol):
    """How the chunks of one stream stand on the wire."""

    def frame(self, data: bytes) -> bytes: ...

    def error(self, error: GatewayError) -> bytes:
        """What ends a stream that failed."""
        ...

    def end(self) -> Iterable[bytes]:
        """What stands after the last chunk of a good stream."""
        ...


class EventFraming:
    """One event for each chunk; nothing marks the end."""

    def frame(self, data: bytes) -> bytes:
        return encode_frame(data)

    def error(self, error: GatewayError) -> bytes:
        return stream_error(error)

    def end(self) -> Iterable[bytes]:
        return ()


class ArrayFraming:
    """The items of a list. Whoever goes on after a failure must know whether the list has begun."""

    def __init__(self) -> None:
        self._has_begun = False

    def frame(self, data: bytes) -> bytes:
        mark = b"\n," if self._has_begun else b"["
        self._has_begun = True
        return mark + data

    def error(self, error: GatewayError) -> bytes:
        return self.frame(jsonx.encode(error_object(error))) + b"".join(self.end())

    def end(self) -> Iterable[bytes]:
        return (b"\n]\n",) if self._has_begun else (b"[]\n",)
