"""What speaks to a client that asked for a JSON array: one for each exchange, as it knows whether the array is open."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.gemini.framing import ArrayFraming
from iflow_cli_proxy.protocols.gemini.reply import encode_reply
from iflow_cli_proxy.protocols.gemini.stream import StreamEncoder


class ArrayVoice:
    """Nothing can stand between the items of a list, so there is no ping."""

    stream_type: Final = "application/json; charset=utf-8"
    ping: Final = b""

    def __init__(self) -> None:
        self._framing = ArrayFraming()
        """Of the encoder that was made last: no other's bytes have gone out."""

    def encode_reply(self, reply: Reply, options: EncodeOptions) -> bytes:
        return encode_reply(reply, options)

    def stream_encoder(self, options: EncodeOptions) -> StreamEncoder:
        self._framing = ArrayFraming()
        return StreamEncoder(options, self._framing)

    def stream_error(self, error: GatewayError) -> bytes:
        return self._framing.error(error)
