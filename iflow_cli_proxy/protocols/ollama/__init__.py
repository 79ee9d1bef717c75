"""Ollama's own API, for clients and for upstreams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Image, Text
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import (
    EncodeOptions,
    Envelope,
    ErrorReply,
    Inbound,
    Judge,
    PlacedImage,
    RouteSpec,
    Voice,
)
from iflow_cli_proxy.protocols.listing import ModelRow
from iflow_cli_proxy.protocols.ollama import errors, images, loading, model_list, reply, request, stream, tap
from iflow_cli_proxy.protocols.ollama.lines import LineFramer
from iflow_cli_proxy.protocols.ollama.voice import OllamaVoice
from iflow_cli_proxy.protocols.ollama.wire import PROTOCOL


class Ollama(OllamaVoice):
    """The codec; it has no state. It speaks of a chat with a model it does not know the name of."""

    name: Final = PROTOCOL
    is_passed_on: Final = False
    picture_marks: Final = (b'"images"',)
    routes: Final = (RouteSpec(method="POST", path="/api/{form:chat|generate}"),)
    end_marker: Final = b""

    def __init__(self) -> None:
        super().__init__(request.CHAT, "")

    def read_envelope(self, inbound: Inbound) -> Envelope:
        return request.read_envelope(inbound)

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        return loading.answer_to_load(envelope, int(now))

    def voice(self, envelope: Envelope) -> Voice:
        return OllamaVoice(envelope.flavor, envelope.model)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options, request.CHAT)

    def framer(self) -> LineFramer:
        return LineFramer()

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        return envelope, ()

    def decode_request(self, envelope: Envelope) -> ChatRequest:
        return request.decode_request(envelope)

    def encode_request(self, chat: ChatRequest) -> dict[str, Json]:
        return request.encode_request(chat)

    def find_images(self, envelope: Envelope) -> tuple[PlacedImage, ...]:
        return images.find_images(envelope)

    def replace_images(self, envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
        return images.replace_images(envelope, parts)

    def read_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
        return reply.read_reply(body, judge, failing_words)

    def decode_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
        return reply.decode_reply(body, judge, failing_words)

    def count_choices(self, body: bytes) -> int:
        return 1

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words)

    def decode_error(self, body: Json) -> GatewayError | None:
        return errors.decode_error(body)

    def encode_error(self, error: GatewayError, request_id: str) -> ErrorReply:
        return errors.encode_error(error, request_id)

    def model_object(self, row: ModelRow) -> Json:
        return model_list.model_object(row)

    def model_page(self, rows: Sequence[ModelRow], query: Mapping[str, str]) -> Json:
        return model_list.model_page(rows, query)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words)

    def carries_content(self, data: bytes) -> bool:
        return tap.carries_content(data)


CODEC: Final = Ollama()
