"""Ollama's own API, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Judge, RouteSpec, Voice
from iflow_cli_proxy.protocols.ollama import errors, images, loading, model_list, reply, request, stream, tap
from iflow_cli_proxy.protocols.ollama.lines import LineFramer
from iflow_cli_proxy.protocols.ollama.voice import OllamaVoice
from iflow_cli_proxy.protocols.ollama.wire import PROTOCOL
from iflow_cli_proxy.protocols.usual import UsualCodec


class Ollama(OllamaVoice, UsualCodec):
    """The codec; it has no state. It speaks of a chat with a model it does not know the name of."""

    name: Final = PROTOCOL
    picture_marks = (b'"images"',)
    routes: Final = (RouteSpec(method="POST", path="/api/{form:chat|generate}"),)

    read_envelope = staticmethod(request.read_envelope)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    find_images = staticmethod(images.find_images)
    replace_images = staticmethod(images.replace_images)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)
    model_object = staticmethod(model_list.model_object)
    model_page = staticmethod(model_list.model_page)
    carries_content = staticmethod(tap.carries_content)
    carries_reasoning = staticmethod(tap.carries_reasoning)

    def __init__(self) -> None:
        super().__init__(request.CHAT, "")

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        return loading.answer_to_load(envelope, int(now))

    def voice(self, envelope: Envelope) -> Voice:
        return OllamaVoice(envelope.flavor, envelope.model)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options, request.CHAT)

    def framer(self) -> LineFramer:
        return LineFramer()

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words)

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words)


CODEC: Final = Ollama()
