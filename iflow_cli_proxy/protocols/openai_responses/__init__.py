"""OpenAI's Responses, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Judge, RouteSpec
from iflow_cli_proxy.protocols.openai_codec import OpenAiCodec
from iflow_cli_proxy.protocols.openai_responses import errors, images, reply, request, tap
from iflow_cli_proxy.protocols.openai_responses.stream_decoder import StreamDecoder
from iflow_cli_proxy.protocols.openai_responses.stream_encoder import StreamEncoder
from iflow_cli_proxy.protocols.openai_responses.voice import PING, ClientVoice
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL


class OpenAiResponses(OpenAiCodec):
    """The codec; it has no state. What counts the events of a stream is its voice."""

    name: Final = PROTOCOL
    picture_marks = (b"base64",)
    routes: Final = (
        RouteSpec(method="POST", path="/v1/responses"),
        RouteSpec(method="POST", path="/responses"),
    )
    ping = PING

    read_envelope = staticmethod(request.read_envelope)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    find_images = staticmethod(images.find_images)
    replace_images = staticmethod(images.replace_images)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    decode_error = staticmethod(errors.decode_error)
    carries_content = staticmethod(tap.carries_content)
    carries_reasoning = staticmethod(tap.carries_reasoning)

    def voice(self, envelope: Envelope) -> ClientVoice:
        return ClientVoice(envelope)

    def encode_reply(self, whole: Reply, options: EncodeOptions) -> bytes:
        return jsonx.encode(reply.encode_response(whole, options))

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> StreamDecoder:
        return StreamDecoder(judge, failing_words, choices)

    def stream_encoder(self, options: EncodeOptions) -> StreamEncoder:
        return StreamEncoder(options)

    def stream_error(self, error: GatewayError) -> bytes:
        """Alone, without a stream around it; a client is spoken to by its voice."""
        return StreamEncoder(EncodeOptions()).failure(error)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)


CODEC: Final = OpenAiResponses()
