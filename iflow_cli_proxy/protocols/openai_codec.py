"""What the codecs of OpenAI's protocols have in common."""

from __future__ import annotations

from iflow_cli_proxy.protocols import openai_errors, openai_models
from iflow_cli_proxy.protocols.usual import EventCodec


class OpenAiCodec(EventCodec):
    """Every protocol of OpenAI words its errors and lists its models alike."""

    ping: bytes = b": ping\n\n"

    decode_error = staticmethod(openai_errors.decode_error)
    encode_error = staticmethod(openai_errors.encode_error)
    stream_error = staticmethod(openai_errors.stream_error)
    model_object = staticmethod(openai_models.model_object)
    model_page = staticmethod(openai_models.model_page)
