"""The edge where everything that went wrong becomes an error in the caller's protocol, once."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.core.errors import (
    ClientError,
    ClientTooSlow,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.telemetry.logging import FIELDS
from iflow_cli_proxy.telemetry.redact import redact

_LOG: Final = logging.getLogger("iflow2api.errors")
DEFAULT_PROTOCOL: Final = "openai_chat"

_CLOSES_CONNECTION: Final = (TooLarge, ClientTooSlow)
"""The rest of the body may still be on its way; nobody will read it."""


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except GatewayError as error:
        return error_response(request, error)
    except web.HTTPException as error:
        return error_response(request, _from_routing(request, error))
    except ConnectionError:
        raise  # the client is gone; nobody is left to tell
    except Exception:
        _LOG.exception("our bug, request %s", request[EXCHANGE].request_id)
        return error_response(
            request,
            InternalError(
                "The gateway failed while handling this request.",
                hint=f"report it with the request id {request[EXCHANGE].request_id}",
            ),
        )


def error_response(request: web.Request, error: GatewayError) -> web.Response:
    """`error` in the words of the protocol that was asked for."""
    exchange = request[EXCHANGE]
    exchange.error_kind = error.kind
    if error.detail:
        fields = {"request_id": exchange.request_id, "error": error.kind}
        _LOG.info("%s (%s)", error.message, redact(error.detail), extra={FIELDS: fields})
    reply = CODECS[exchange.protocol or DEFAULT_PROTOCOL].encode_error(error, exchange.request_id)
    response = web.Response(
        status=reply.status, body=reply.body, content_type="application/json", headers=dict(reply.headers)
    )
    if isinstance(error, _CLOSES_CONNECTION):
        response.force_close()
    return response


def _from_routing(request: web.Request, error: web.HTTPException) -> ClientError:
    """What aiohttp itself refused, as an error of ours."""
    if isinstance(error, web.HTTPNotFound):
        return NotFound(f"There is nothing at this path for {request.method}.", hint="the endpoints are under /v1")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{request.method} is not allowed here; allowed: {allowed}.")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TooLarge("The request body is too large.")
    return InvalidRequest("The request cannot be handled.", status=error.status)
