"""Google's Gemini API, for clients and for upstreams."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.sse import EVENT_STREAM
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Judge, RouteSpec, Voice
from iflow_cli_proxy.protocols.gemini import errors, images, model_list, reply, request, stream, tap
from iflow_cli_proxy.protocols.gemini.contents import refuse_lone_results
from iflow_cli_proxy.protocols.gemini.frames import BareFramer
from iflow_cli_proxy.protocols.gemini.framing import EventFraming
from iflow_cli_proxy.protocols.gemini.voice import ArrayVoice
from iflow_cli_proxy.protocols.gemini.wire import PROTOCOL
from iflow_cli_proxy.protocols.usual import UsualCodec

_METHODS: Final = "{model:.+}:{method:generateContent|streamGenerateContent}"


class Gemini(UsualCodec):
    """The codec; it has no state. It speaks in events: a client that wants an array has a voice of its own."""

    name: Final = PROTOCOL
    picture_marks = (b"inlineData", b"inline_data")
    routes: Final = (
        RouteSpec(method="POST", path=f"/v1beta/models/{_METHODS}"),
        RouteSpec(method="POST", path=f"/v1/models/{_METHODS}"),
    )
    stream_type: Final = EVENT_STREAM
    # 2026-11: google-genai (Python, 3.4) takes every line for JSON that is neither blank nor `data:`, comments too.
    ping: Final = b"\n\n"

    read_envelope = staticmethod(request.read_envelope)
    decode_request = staticmethod(request.decode_request)
    encode_request = staticmethod(request.encode_request)
    find_images = staticmethod(images.find_images)
    replace_images = staticmethod(images.replace_images)
    read_reply = staticmethod(reply.read_reply)
    decode_reply = staticmethod(reply.decode_reply)
    encode_reply = staticmethod(reply.encode_reply)
    count_choices = staticmethod(request.count_choices)
    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)
    model_object = staticmethod(model_list.model_object)
    model_page = staticmethod(model_list.model_page)
    stream_error = staticmethod(errors.stream_error)
    carries_content = staticmethod(tap.carries_content)
    carries_reasoning = staticmethod(tap.carries_reasoning)

    def voice(self, envelope: Envelope) -> Voice:
        return ArrayVoice() if envelope.flavor == request.ARRAY else self

    def framer(self) -> BareFramer:
        return BareFramer()

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        refuse_lone_results(envelope.values["contents"])
        return envelope, ()

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> stream.StreamDecoder:
        return stream.StreamDecoder(judge, failing_words, choices)

    def stream_encoder(self, options: EncodeOptions) -> stream.StreamEncoder:
        return stream.StreamEncoder(options, EventFraming())

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> tap.StreamTap:
        return tap.StreamTap(judge, failing_words, choices)


CODEC: Final = Gemini()
