"""`countTokens`: what it is asked about, and its answer. The counting itself is somebody else's."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.gemini.request import read_envelope

_INNER: Final = ("generateContentRequest", "generate_content_request")


def read_count_envelope(inbound: Inbound) -> Envelope:
    """Of contents alone, or of a whole request inside the body. Raises InvalidRequest naming the JSON path."""
    try:
        values = read_object(inbound.body)
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    for name in _INNER:
        if isinstance(inner := values.get(name), dict):
            return read_envelope(structs.replace(inbound, body=jsonx.encode(inner)))
    return read_envelope(inbound)


def encode_count(tokens: int) -> bytes:
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return jsonx.encode({"totalTokens": tokens, "promptTokensDetails": details})
