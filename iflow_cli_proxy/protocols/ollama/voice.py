"""What speaks to one client of Ollama's: `/api/chat` and `/api/generate` answer in different words.

A ping has to be an answer like the others, as clients read every line, and so it names the model and the moment.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.ollama.errors import stream_error
from iflow_cli_proxy.protocols.ollama.lines import NDJSON
from iflow_cli_proxy.protocols.ollama.reply import encode_head, encode_reply
from iflow_cli_proxy.protocols.ollama.request import GENERATE
from iflow_cli_proxy.protocols.ollama.stream import StreamEncoder


class OllamaVoice:
    """Of one flavor. It remembers when the answer began, for the pings within it."""

    stream_type: Final = NDJSON

    def __init__(self, flavor: str, model: str) -> None:
        self._flavor = flavor
        self._model = model
        self._created = 0
        """Epoch seconds; 0 until somebody has told."""

    @property
    def ping(self) -> bytes:
        nothing: dict[str, Json] = {"message": {"role": "assistant", "content": ""}}
        if self._flavor == GENERATE:
            nothing = {"response": ""}
        return jsonx.encode({**encode_head(self._model, self._created), **nothing, "done": False}) + b"\n"

    def encode_reply(self, reply: Reply, options: EncodeOptions) -> bytes:
        return encode_reply(reply, options, self._flavor)

    def stream_encoder(self, options: EncodeOptions) -> StreamEncoder:
        self._created = options.created
        return StreamEncoder(options, self._flavor)

    def stream_error(self, error: GatewayError) -> bytes:
        return stream_error(error)
