"""A name for every request, the same in the log, the headers and the ledger; and what every answer's head says."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.core.ids import answer_id, request_id
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.admin.answers import seal
from iflow_cli_proxy.server.admin.paths import is_admin
from iflow_cli_proxy.server.connection import is_last_answer
from iflow_cli_proxy.server.dialect import protocol_of
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.refusal import SERVER_NAME
from iflow_cli_proxy.telemetry.redact import redact
from iflow_cli_proxy.telemetry.request import REQUEST_ID

HEADER: Final = "x-request-id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The client's own `x-request-id` is kept when it is harmless, so that both sides can search for one word."""
    state = request.app[STATE]
    given = request.headers.get(HEADER, "")
    name = given if _is_acceptable(given) else request_id(state.entropy)
    protocol = protocol_of(request.path, request.headers)
    exchange = Exchange(
        request_id=name,
        protocol=protocol,
        started_at=state.clock.monotonic(),
        answer_id=answer_id(state.entropy),
    )
    request[EXCHANGE] = exchange
    before = REQUEST_ID.set(name)
    try:
        return await handler(request)
    finally:
        exchange.end()
        REQUEST_ID.reset(before)


def _is_acceptable(given: str) -> bool:
    """Harmless, and not a key that was put in the wrong header: it will stand in logs and answers."""
    return bool(given) and _ACCEPTABLE.fullmatch(given) is not None and redact(given) == given


async def sign(request: web.Request, response: web.StreamResponse) -> None:
    """Complete the head of any answer that is about to go out."""
    headers, exchange = response.headers, request[EXCHANGE]
    if exchange.flight is not None:
        exchange.flight.answer_status, exchange.flight.answer_headers = response.status, headers
    headers[HEADER] = exchange.request_id
    headers[hdrs.SERVER] = SERVER_NAME
    if is_admin(request.path):
        seal(headers)
    if hdrs.CACHE_CONTROL not in headers:
        headers[hdrs.CACHE_CONTROL] = "no-store"
    if is_last_answer(request) or request.app[STATE].is_draining:
        response.force_close()
        headers[hdrs.CONNECTION] = "close"
