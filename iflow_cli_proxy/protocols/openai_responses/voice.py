"""What speaks to one client in one exchange: it counts the events, and keeps the finished answer for the next turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.sse import EVENT_STREAM
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope
from iflow_cli_proxy.protocols.openai_responses.reply import encode_response
from iflow_cli_proxy.protocols.openai_responses.stream_encoder import StreamEncoder

PING: Final = b": ping\n\n"
"""A comment: the official SDKs take no event before `response.created`."""


class ClientVoice:
    stream_type: Final = EVENT_STREAM
    ping: Final = PING

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._encoder: StreamEncoder | None = None
        self._reply: Mapping[str, Json] | None = None

    @property
    def response(self) -> Mapping[str, Json] | None:
        """The finished response object, None as long as there is none."""
        return self._reply or (self._encoder.response if self._encoder else None)

    def encode_reply(self, reply: Reply, options: EncodeOptions) -> bytes:
        self._reply = encode_response(reply, options)
        return jsonx.encode(self._reply)

    def stream_encoder(self, options: EncodeOptions) -> StreamEncoder:
        self._encoder = StreamEncoder(options)
        return self._encoder

    def stream_error(self, error: GatewayError) -> bytes:
        """The last events of the stream, whether it has begun or not."""
        envelope = self._envelope
        encoder = self._encoder or StreamEncoder(EncodeOptions(model=envelope.model, asked=envelope.values))
        return encoder.break_off(error)
