"""One call to a sign-in endpoint, whole: bounded in time and in size, closed in every case.

Knows how long and how much anybody waits for. Refuses to know what an answer means (`providers/oauth.py`) and when a
call is worth repeating. Messages never name the address: it may carry a token.
"""

from __future__ import annotations

import asyncio
from typing import Final

from iflow_cli_proxy.core.errors import Malformed, TimedOut, UpstreamError
from iflow_cli_proxy.providers.oauth_refusal import LARGEST_BYTES
from iflow_cli_proxy.providers.signin import OAuthAnswer
from iflow_cli_proxy.transport.base import Transport, UpstreamReply, UpstreamRequest
from iflow_cli_proxy.transport.faults import CHECK

LIMIT_S: Final = 30.0

_CHECK_SIGN_IN: Final = "run `iflow2api doctor --online` to see which servers answer"


async def call(
    transport: Transport, request: UpstreamRequest, *, provider: str = "", limit_s: float = LIMIT_S
) -> OAuthAnswer:
    """The answer, whatever its status. `provider` is whose sign-in server is called; empty for any other server.

    Raises:
        TimedOut: it was not there, to its last byte, within `limit_s`.
        Malformed: it is larger than a megabyte.
        UpstreamError: what the transport says of a call that failed, in words for a sign-in server.
    """
    try:
        return await _call(transport, request, limit_s)
    except UpstreamError as error:
        if provider:
            _reword(error, provider)
        raise


async def _call(transport: Transport, request: UpstreamRequest, limit_s: float) -> OAuthAnswer:
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


def _reword(error: UpstreamError, provider: str) -> None:
    """The same error with the same facts: a transport cannot know that it was not called for a model."""
    error.message = error.message.replace("The upstream", f"The sign-in server of {provider}", 1)
    if error.hint == CHECK:
        error.hint = _CHECK_SIGN_IN
