"""Answering a prompt, in whichever protocol it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.relay import WholeAnswer
from iflow_cli_proxy.protocols.base import Codec, Inbound
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.streaming import ClientStream


def generate(codec: Codec) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler for `codec`'s generating routes."""

    async def handle(request: web.Request) -> web.StreamResponse:
        state = request.app[STATE]
        settings = state.settings.current.server
        exchange = request[EXCHANGE]
        exchange.protocol = codec.name
        inbound = Inbound(
            protocol=codec.name,
            body=await read_json_body(request, settings),
            headers=request.headers,
            path=request.match_info,
            query=request.query,
            request_id=exchange.request_id,
            client=exchange.client,
        )
        stream = ClientStream(request, exchange, codec, settings, state.supervisor)
        state.streams.add(stream)
        try:
            answer = await state.gateway.current.answer(inbound, exchange)
            if isinstance(answer, WholeAnswer):
                exchange.bytes_out = len(answer.body)
                return web.Response(body=answer.body, content_type="application/json", headers=dict(answer.headers))
            return await stream.relay(answer)
        except GatewayError as error:
            if not stream.is_open:
                raise
            return await stream.fail(error)
        except asyncio.CancelledError:
            if stream.ending is None:
                raise
            return await _end(stream, stream.ending)
        finally:
            stream.close()
            state.streams.discard(stream)

    return handle


async def _end(stream: ClientStream, error: GatewayError) -> web.StreamResponse:
    """The server itself ended this exchange: say so instead of being cancelled."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    if not stream.is_open:
        raise error
    return await stream.fail(error)
