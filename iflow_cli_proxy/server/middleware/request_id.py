"""A name for every request, the same in the log, the headers and the ledger."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.core.ids import request_id
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.keys import EXCHANGE, STATE

HEADER: Final = "x-request-id"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The client's own `x-request-id` is kept when it is harmless, so that both sides can search for one word."""
    state = request.app[STATE]
    given = request.headers.get(HEADER, "")
    name = given if given and _ACCEPTABLE.fullmatch(given) else request_id(state.entropy)
    request[EXCHANGE] = Exchange(request_id=name, protocol="", started_at=state.clock.monotonic())
    response = await handler(request)
    if not response.prepared:
        response.headers[HEADER] = name
    return response
