"""What an answer with a status other than 2xx means.

Its status is verdict enough, so the words of its body are read only as far as they arrive soon and fit.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, Malformed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.gateway.deadline import Deadline
from iflow_cli_proxy.gateway.verdict import find_error
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.transport.base import UpstreamReply

MAX_BYTES: Final = 256 * 1024
WAIT_S: Final = 5.0


async def refusal_of(reply: UpstreamReply, provider: Provider, deadline: Deadline, key: Secret) -> GatewayError:
    """The error in the provider's reading, with the upstream's status and without `key`, the account's own."""
    value = _json_in(await _read(reply, deadline))
    error = find_error(provider, reply.status, reply.headers, value, key)
    error = error or Malformed(f"The upstream answered with status {reply.status}.")
    error.status = error.status or reply.status
    return error


def _json_in(words: bytes) -> Json:
    """The JSON of a body, or of its first event: a refused stream may say so in an event. None when there is none."""
    with suppress(JsonError):
        return jsonx.decode(words)
    for frame in Framer().feed(words + b"\n\n")[:1]:
        with suppress(JsonError):
            return jsonx.decode(frame.data)
    return None


async def _read(reply: UpstreamReply, deadline: Deadline) -> bytes:
    """The body, or what came of it before it broke off, stalled or grew too large."""
    words = bytearray()
    with suppress(GatewayError, TimeoutError):
        async with asyncio.timeout(WAIT_S):
            while len(words) < MAX_BYTES:
                with deadline:
                    chunk = await reply.read()
                if not chunk:
                    break
                words += chunk
    return bytes(words)
