"""Asking an upstream which models it has: off the request path, bounded, and never a reason to fail."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, Malformed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import read_all
from iflow_cli_proxy.gateway.refusal import refusal_of
from iflow_cli_proxy.gateway.verdict import advise
from iflow_cli_proxy.pool.account import Account

_LIMITS: Final = Limits(first_byte_s=10.0, idle_s=10.0, content_s=10.0, total_s=10.0)
_LARGEST_BYTES: Final = 4 * 1024 * 1024


async def ask_for_models(upstream: Upstream, account: Account) -> Json:
    """The upstream's own list as it sent it, None when it has none to ask for.

    Raises:
        GatewayError: it cannot be reached, refused, or sent something that is not JSON.
    """
    request = upstream.provider.models_request(account)
    if request is None:
        return None
    deadline = Deadline(_LIMITS)
    try:
        with deadline:
            reply = await upstream.transport.send(request)
        try:
            if reply.status != 200:
                raise await refusal_of(reply, upstream.provider, deadline, account.api_key)
            return jsonx.decode(await read_all(reply, deadline, _LARGEST_BYTES))
        except JsonError as error:
            raise Malformed("The upstream's model list is not JSON.") from error
        finally:
            reply.close()
    except GatewayError as error:
        advise(error, upstream.provider)
        raise
    finally:
        deadline.close()
