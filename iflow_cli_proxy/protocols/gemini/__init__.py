"""Google's Gemini API, for clients and for upstreams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Image, Text
from iflow_cli_proxy.core.sse import EVENT_STREAM
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
from iflow_cli_proxy.protocols.gemini import errors, images, model_list, reply, request, stream, tap
from iflow_cli_proxy.protocols.gemini.contents import refuse_lone_results
from iflow_cli_proxy.protocols.gemini.frames import BareFramer
from iflow_cli_proxy.protocols.gemini.framing import EventFraming
from iflow_cli_proxy.protocols.gemini.voice import ArrayVoice
from iflow_cli_proxy.protocols.gemini.wire import PROTOCOL
from iflow_cli_proxy.protocols.listing import ModelRow

_METHODS: Final = "{model:.+}:{method:generateContent|streamGenerateContent}"


class Gemini:
    """The codec; it has no state. It speaks in events: a client that wants an array has a voice of its own."""

    name: Final = PROTOCOL
    is_passed_on: Final = False
    picture_marks: Final = (b"inlineData", b"inline_data")
    routes: Final = (
        RouteSpec(method="POST", path=f"/v1beta/models/{_METHODS}"),
        RouteSpec(method="POST", path=f"/v1/models/{_METHODS}"),
    )
    stream_type: Final = EVENT_STREAM
    # 2026-11: google-genai (Python, 3.4) takes every line for JSON that is neither blank nor `data:`, comments too.
    ping: Final = b"\n\n"
    end_marker: Final = b""

    def read_envelope(self, inbound: Inbound) -> Envelope:
        return request.read_envelope(inbound)

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        return None

    def voice(self, envelope: Envelope) -> Voice:
        return ArrayVoice() if envelope.flavor == request.ARRAY else self

    def framer(self) -> BareFramer:
        return BareFramer()

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        refuse_lone_results(envelope.values["contents"])
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

    def encode_reply(self, whole: Reply, options: EncodeOptions) -> bytes:
        return reply.encode_reply(whole, options)

    def count_choices(self, body: bytes) -> int:
        return request.count_choices(body)

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words, choices)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options, EventFraming())

    def decode_error(self, body: Json) -> GatewayError | None:
        return errors.decode_error(body)

    def encode_error(self, error: GatewayError, request_id: str) -> ErrorReply:
        return errors.encode_error(error, request_id)

    def model_object(self, row: ModelRow) -> Json:
        return model_list.model_object(row)

    def model_page(self, rows: Sequence[ModelRow], query: Mapping[str, str]) -> Json:
        return model_list.model_page(rows, query)

    def stream_error(self, error: GatewayError) -> bytes:
        return errors.stream_error(error)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)

    def carries_content(self, data: bytes) -> bool:
        return tap.carries_content(data)


CODEC: Final = Gemini()
