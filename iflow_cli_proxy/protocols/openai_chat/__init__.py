"""OpenAI's Chat Completions, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols.base import EncodeOptions, Judge, RouteSpec
from iflow_cli_proxy.protocols.openai_answer import count_choices
from iflow_cli_proxy.protocols.openai_chat import images, repair, reply, request, stream_decoder, stream_encoder, tap
from iflow_cli_proxy.protocols.openai_chat.wire import PROTOCOL
from iflow_cli_proxy.protocols.openai_codec import OpenAiCodec


class OpenAiChat(OpenAiCodec):
    """The codec; it has no state."""

    name: Final = PROTOCOL
    picture_marks = (b"base64",)
    routes: Final = (
        RouteSpec(method="POST", path="/v1/chat/completions"),
        RouteSpec(method="POST", path="/chat/completions"),
    )
    end_marker = stream_encoder.END_MARKER

    read_envelope = staticmethod(request.read_envelope)
    repair = staticmethod(repair.repair)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    find_images = staticmethod(images.find_images)
    replace_images = staticmethod(images.replace_images)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    encode_reply = staticmethod(reply.encode_reply)
    count_choices = staticmethod(count_choices)
    carries_content = staticmethod(tap.carries_content)
    carries_reasoning = staticmethod(tap.carries_reasoning)

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream_decoder.StreamDecoder:
        return stream_decoder.StreamDecoder(judge, failing_words, choices, keeps_extras=keeps_extras)

    def stream_encoder(self, options: EncodeOptions) -> stream_encoder.StreamEncoder:
        return stream_encoder.StreamEncoder(options)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)


CODEC: Final = OpenAiChat()
