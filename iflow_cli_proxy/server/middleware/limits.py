"""Admission: nothing new while draining or stopped, and no more at one time than configured."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.core.errors import Busy, Draining
from iflow_cli_proxy.server.admin.paths import is_admin
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.middleware.errors import error_response

_COME_BACK_S: Final = 1.0
_STARTED_AGAIN_S: Final = 10.0
"""Nobody knows when somebody will start it again."""
_LEDGER_BACK_S: Final = 5.0


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method != "POST" or is_admin(request.path):
        return await handler(request)
    return await take_in(request, handler)


async def take_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have it handled, if there is room for one more."""
    state = request.app[STATE]
    if state.is_draining:
        response = error_response(request, Draining("The gateway is stopping.", retry_after_s=_COME_BACK_S))
        response.force_close()
        return response
    if not state.is_accepting:
        raise Draining(
            "The gateway takes no requests at the moment.",
            hint="it was told so on the admin page, where it can be started again",
            retry_after_s=_STARTED_AGAIN_S,
        )
    limit = state.settings.current.server.max_in_flight
    if limit and len(state.in_flight) >= limit:
        raise Busy("The gateway is serving as many requests as it may.", retry_after_s=_COME_BACK_S)
    if state.is_ledger_full():
        raise Busy("The gateway cannot record what it serves.", retry_after_s=_LEDGER_BACK_S)
    exchange = request[EXCHANGE]
    state.in_flight.add(exchange)
    try:
        return await handler(request)
    finally:
        state.in_flight.discard(exchange)
