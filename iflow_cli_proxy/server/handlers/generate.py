"""Answering a prompt, in whichever protocol it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from aiohttp import web

from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import WholeAnswer
from iflow_cli_proxy.protocols.base import Codec, Envelope, Inbound
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.middleware.errors import explain, is_client_gone
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.server.streaming import ClientAnswer


class Turn(Protocol):
    """One request of a protocol that remembers earlier ones."""

    def recall(self, envelope: Envelope) -> Envelope:
        """The request with what came before it. Raises InvalidRequest when that is not known."""
        ...

    def keep(self) -> None:
        """Called before anything of the answer goes out, piece by piece: it is kept when it is whole."""
        ...


Begin: TypeAlias = Callable[[web.Request], Turn]


def generate(codec: Codec, begin: Begin | None = None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler for `codec`'s generating routes; `begin` where it has a memory."""

    async def handle(request: web.Request) -> web.StreamResponse:
        state, exchange = request.app[STATE], request[EXCHANGE]
        exchange.protocol = codec.name
        client = ClientAnswer(request, exchange, codec, state.settings.current.server, state.supervisor)
        state.answers.add(client)
        try:
            return await _answer(request, exchange, state, client, begin(request) if begin else None)
        except asyncio.CancelledError:
            if client.ending is None:
                raise
            _go_on()
            if not client.is_open:
                raise client.ending from None
            return await client.fail(client.ending)
        except Exception as error:
            if not client.is_open or is_client_gone(request, error):
                raise
            return await client.fail(explain(request, error))
        finally:
            client.close()
            state.answers.discard(client)

    return handle


async def _answer(
    request: web.Request, exchange: Exchange, state: ServerState, client: ClientAnswer, turn: Turn | None
) -> web.StreamResponse:
    gateway = state.gateway.current
    body = await read_json_body(request, state.settings.current.server)
    exchange.bytes_in = len(body)
    if exchange.flight is not None:
        exchange.flight.asked.add(body)
    inbound = Inbound(
        protocol=exchange.protocol,
        body=body,
        headers=request.headers,
        path=request.match_info,
        query=request.query,
        request_id=exchange.request_id,
        client=exchange.client,
    )
    answer = await gateway.answer(inbound, exchange, recall=turn.recall if turn else None)
    keep = turn.keep if turn is not None else None
    return await (client.send(answer, keep) if isinstance(answer, WholeAnswer) else client.relay(answer, keep))


def _go_on() -> None:
    """The server itself cancelled this task, to have something said instead."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
