"""One small call off the request path: sent, judged and decoded, within ten seconds or what the caller allows."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, Malformed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import read_all
from iflow_cli_proxy.gateway.refusal import refusal_of
from iflow_cli_proxy.gateway.verdict import advise, find_error
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.transport.base import UpstreamRequest

_LARGEST_BYTES: Final = 4 * 1024 * 1024


async def ask(upstream: Upstream, account: Account, request: UpstreamRequest, *, limit_s: float = 10.0) -> Json:
    """The JSON that came back with status 200.

    Raises:
        GatewayError: the upstream cannot be reached, refused (in a 200 as well), or sent something that is not JSON.
    """
    deadline = Deadline(Limits(first_byte_s=limit_s, idle_s=limit_s, content_s=limit_s, total_s=limit_s))
    try:
        with deadline:
            reply = await upstream.transport.send(request)
        try:
            if reply.status != 200:
                raise await refusal_of(reply, upstream.provider, deadline, account.api_key)
            value = jsonx.decode(await read_all(reply, deadline, _LARGEST_BYTES))
        except JsonError as error:
            raise Malformed("The upstream's answer is not JSON.") from error
        finally:
            reply.close()
        failure = find_error(upstream.provider, 200, reply.headers, value, account.api_key)
        # An answer without choices is fine here: most questions are not chats.
        if failure is not None and not isinstance(failure, Malformed):
            raise failure
        return value
    except GatewayError as error:
        advise(error, upstream.provider)
        raise
    finally:
        deadline.close()
