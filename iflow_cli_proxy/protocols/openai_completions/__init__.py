"""OpenAI's Completions, the protocol before chats, for clients and for upstreams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Image, Text
from iflow_cli_proxy.core.sse import EVENT_STREAM, Framer
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols import openai_errors, openai_models
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
from iflow_cli_proxy.protocols.openai_completions import reply, request, stream, tap
from iflow_cli_proxy.protocols.openai_completions.wire import PROTOCOL


class OpenAiCompletions:
    """The codec; it has no state."""

    name: Final = PROTOCOL
    is_passed_on: Final = False
    picture_marks: Final[tuple[bytes, ...]] = ()
    routes: Final = (
        RouteSpec(method="POST", path="/v1/completions"),
        RouteSpec(method="POST", path="/completions"),
    )
    stream_type: Final = EVENT_STREAM
    ping: Final = b": ping\n\n"
    end_marker: Final = stream.END_MARKER

    def read_envelope(self, inbound: Inbound) -> Envelope:
        return request.read_envelope(inbound)

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        return None

    def voice(self, envelope: Envelope) -> Voice:
        return self

    def framer(self) -> Framer:
        return Framer()

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        return envelope, ()

    def decode_request(self, envelope: Envelope) -> ChatRequest:
        return request.decode_request(envelope)

    def encode_request(self, chat: ChatRequest) -> dict[str, Json]:
        return request.encode_request(chat)

    def find_images(self, envelope: Envelope) -> tuple[PlacedImage, ...]:
        """A prompt is text."""
        return ()

    def replace_images(self, envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
        return envelope

    def read_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
        return reply.read_reply(body, judge, failing_words)

    def decode_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
        return reply.decode_reply(body, judge, failing_words)

    def encode_reply(self, whole: Reply, options: EncodeOptions) -> bytes:
        return reply.encode_reply(whole, options)

    def count_choices(self, body: bytes) -> int:
        return request.count_choices(body)

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words, choices)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options)

    def decode_error(self, body: Json) -> GatewayError | None:
        return openai_errors.decode_error(body)

    def encode_error(self, error: GatewayError, request_id: str) -> ErrorReply:
        return openai_errors.encode_error(error, request_id)

    def model_object(self, row: ModelRow) -> Json:
        return openai_models.model_object(row)

    def model_page(self, rows: Sequence[ModelRow], query: Mapping[str, str]) -> Json:
        return openai_models.model_page(rows, query)

    def stream_error(self, error: GatewayError) -> bytes:
        return openai_errors.stream_error(error)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)

    def carries_content(self, data: bytes) -> bool:
        return tap.carries_content(data)


CODEC: Final = OpenAiCompletions()
