"""OpenAI's Completions, the protocol before chats, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols.base import EncodeOptions, Judge, RouteSpec
from iflow_cli_proxy.protocols.openai_answer import count_choices
from iflow_cli_proxy.protocols.openai_codec import OpenAiCodec
from iflow_cli_proxy.protocols.openai_completions import reply, request, stream, tap
from iflow_cli_proxy.protocols.openai_completions.wire import PROTOCOL


class OpenAiCompletions(OpenAiCodec):
    """The codec; it has no state."""

    name: Final = PROTOCOL
    routes: Final = (
        RouteSpec(method="POST", path="/v1/completions"),
        RouteSpec(method="POST", path="/completions"),
    )
    end_marker = stream.END_MARKER

    read_envelope = staticmethod(request.read_envelope)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    encode_reply = staticmethod(reply.encode_reply)
    count_choices = staticmethod(count_choices)
    carries_content = staticmethod(tap.carries_content)

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words, choices)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)


CODEC: Final = OpenAiCompletions()
