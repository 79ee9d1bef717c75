"""How many tokens a prompt has, in whichever protocol it is asked: nobody upstream is called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from iflow_cli_proxy.protocols.base import Counter, Inbound
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.keys import EXCHANGE, STATE


def count_tokens(counter: Counter) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        state, exchange = request.app[STATE], request[EXCHANGE]
        exchange.protocol = counter.protocol
        body = await read_json_body(request, state.settings.current.server)
        inbound = Inbound(
            protocol=counter.protocol,
            body=body,
            headers=request.headers,
            path=request.match_info,
            query=request.query,
            request_id=exchange.request_id,
        )
        tokens = state.gateway.current.count(counter.read_envelope(inbound), body, exchange)
        return web.Response(body=counter.encode(tokens), content_type="application/json")

    return handle
