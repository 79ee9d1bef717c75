"""`count_tokens`: what it is asked about, and its answer. The counting itself is somebody else's.

Source: Anthropic API reference, "Count tokens in a Message".
"""

from __future__ import annotations

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.anthropic.request import read_envelope
from iflow_cli_proxy.protocols.base import Envelope, Inbound


def read_count_envelope(inbound: Inbound) -> Envelope:
    """A request without the wish to have it answered. Raises InvalidRequest naming the JSON path."""
    return read_envelope(inbound)


def encode_count(tokens: int) -> bytes:
    return jsonx.encode({"input_tokens": tokens})
