"""One call to a sign-in endpoint, whole: bounded in time and in size, closed in every case.

Knows how long and how much anybody waits for. Refuses to know what an answer means (`providers/oauth.py`) and when a
call is worth repeating. Messages never name the address: it may carry a token.
"""

from __future__ import annotations

import asyncio
from typing import Final

from iflow_cli_proxy.core.errors import Malformed, TimedOut
from iflow_cli_proxy.providers.signin import OAuthAnswer
from iflow_cli_proxy.transport.base import Transport, UpstreamReply, UpstreamRequest

LIMIT_S: Final = 30.0
LARGEST_BYTES: Final = 1_048_576


async def call(transport: Transport, request: UpstreamRequest, *, limit_s: float = LIMIT_S) -> OAuthAnswer:
    """The answer, whatever its status.

    Raises:
        TimedOut: it was not there, to its last byte, within `limit_s`.
        Malformed: it is larger than a megabyte.
        GatewayError: what the transport says of a call that failed.
    """
    try:
        async with asyncio.timeout(limit_s):
            reply = await transport.send(request)
            try:
                return OAuthAnswer(status=reply.status, headers=dict(reply.headers), body=await _whole(reply))
            finally:
                reply.close()
    except TimeoutError as error:
        raise TimedOut("total", limit_s, hint="try again in a minute") from error


async def _whole(reply: UpstreamReply) -> bytes:
    body = bytearray()
    while piece := await reply.read():
        body += piece
        if len(body) > LARGEST_BYTES:
            raise Malformed("The sign-in server's answer is larger than any honest one.")
    return bytes(body)
