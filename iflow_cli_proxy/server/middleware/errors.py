"""The edge where everything that went wrong becomes an error in the caller's protocol, once."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.core.errors import (
    ClientTooSlow,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.admin.answers import error_answer, language_of
from iflow_cli_proxy.server.admin.paths import is_admin
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.telemetry.formats import FIELDS

_LOG: Final = logging.getLogger("iflow2api.errors")

_CLOSES_CONNECTION: Final = (TooLarge, ClientTooSlow)
"""The rest of the body may still be on its way; nobody will read it."""


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:
        if is_client_gone(request, error):
            raise
        response = error_response(request, explain(request, error))
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response


def explain(request: web.Request, error: Exception) -> GatewayError:
    """`error` as a member of our tree, and in the log what the client is not told."""
    exchange = request[EXCHANGE]
    match error:
        case GatewayError():
            if error.detail:
                fields = {"request_id": exchange.request_id, "error": error.kind}
                _LOG.info("%s (%s)", error.message, error.detail, extra={FIELDS: fields})
            return error
        case web.HTTPNotFound():
            return NotFound(f"There is nothing at this path for {request.method}.", hint="the endpoints are under /v1")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return MethodNotAllowed(f"{request.method} is not allowed here; allowed: {allowed}.")
        case web.HTTPException():
            return InvalidRequest("The request cannot be handled.")
        case _:
            _LOG.error("our bug, request %s", exchange.request_id, exc_info=error)
            return InternalError(
                "The gateway failed while handling this request.",
                hint=f"report it with the request id {exchange.request_id}",
            )


def error_response(request: web.Request, error: GatewayError) -> web.Response:
    """`error` in the words of the protocol that was asked for, or of the admin page."""
    if not is_admin(request.path):
        return client_error_response(request, error)
    request[EXCHANGE].error_kind = error.kind
    return _closed_after(error, error_answer(error, language_of(request)))


def client_error_response(request: web.Request, error: GatewayError) -> web.Response:
    """In the words of the protocol, wherever it was asked."""
    exchange = request[EXCHANGE]
    exchange.error_kind = error.kind
    reply = CODECS[exchange.protocol].encode_error(error, exchange.request_id)
    if exchange.flight is not None:
        exchange.flight.fails(error)
        exchange.flight.answers(reply.body)
    response = web.Response(
        status=reply.status, body=reply.body, content_type="application/json", headers=dict(reply.headers)
    )
    return _closed_after(error, response)


def _closed_after(error: GatewayError, response: web.Response) -> web.Response:
    if isinstance(error, _CLOSES_CONNECTION):
        response.force_close()
    return response


def is_client_gone(request: web.Request, error: Exception) -> bool:
    """Nobody is left to be told; a broken connection elsewhere that got this far is our bug."""
    transport = request.transport
    return isinstance(error, ConnectionError) and (transport is None or transport.is_closing())
