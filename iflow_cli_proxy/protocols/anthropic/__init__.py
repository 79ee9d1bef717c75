"""Anthropic's Messages, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols.anthropic import errors, images, model_list, reading, reply, request, stream, tap
from iflow_cli_proxy.protocols.anthropic.wire import PROTOCOL
from iflow_cli_proxy.protocols.base import EncodeOptions, Judge, RouteSpec
from iflow_cli_proxy.protocols.usual import EventCodec


class Anthropic(EventCodec):
    """The codec; it has no state. There is one answer to a question, so `choices` means nothing here."""

    name: Final = PROTOCOL
    picture_marks = (b"base64",)
    routes: Final = (
        RouteSpec(method="POST", path="/v1/messages"),
        RouteSpec(method="POST", path="/anthropic/v1/messages"),
    )
    ping: Final = stream.PING
    end_marker = stream.END_MARKER

    read_envelope = staticmethod(request.read_envelope)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    find_images = staticmethod(images.find_images)
    replace_images = staticmethod(images.replace_images)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    encode_reply = staticmethod(reply.encode_reply)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)
    model_object = staticmethod(model_list.model_object)
    model_page = staticmethod(model_list.model_page)
    stream_error = staticmethod(errors.stream_error)
    carries_content = staticmethod(tap.carries_content)
    carries_reasoning = staticmethod(tap.carries_reasoning)

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> reading.StreamDecoder:
        return reading.StreamDecoder(judge, failing_words)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words)


CODEC: Final = Anthropic()
