"""The part of OpenAI's Responses that has a memory: going on from an earlier answer, and asking for it again."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.protocols import response_history
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.stored_responses import StoredResponses

PROTOCOL = "openai_responses"


class Turn:
    """One request on its way: what came before it is put in front, and what comes of it is kept."""

    def __init__(self, memory: StoredResponses, exchange: Exchange) -> None:
        self._memory = memory
        self._exchange = exchange
        self._envelope: Envelope | None = None

    def recall(self, envelope: Envelope) -> Envelope:
        """Raises InvalidRequest when the earlier answer is not known, or not any more."""
        if earlier := response_history.previous_id(envelope):
            past = self._memory.get(self._exchange.client, earlier)
            if past is None:
                raise response_history.unknown_previous(earlier)
            envelope = response_history.continued(envelope, past)
        self._envelope = envelope
        return envelope

    def keep(self) -> None:
        """To be called when the answer is out."""
        response = getattr(self._exchange.voice, "response", None)
        if self._envelope is None or response is None or self._exchange.error_kind:
            return
        value = response_history.stored(self._envelope, response)
        if value is not None:
            self._memory.put(self._exchange.client, value)


def begin(request: web.Request) -> Turn:
    return Turn(request.app[STATE].responses, request[EXCHANGE])


async def get_response(request: web.Request) -> web.Response:
    return _json(_found(request).response)


async def list_input_items(request: web.Request) -> web.Response:
    query = request.query
    page = response_history.input_items(
        _found(request), limit=query.get("limit", ""), order=query.get("order", ""), after=query.get("after", "")
    )
    return _json(page)


async def delete_response(request: web.Request) -> web.Response:
    response_id = request.match_info["id"]
    exchange = request[EXCHANGE]
    if not request.app[STATE].responses.delete(exchange.client, response_id):
        raise response_history.unknown_response(response_id)
    return _json(response_history.deleted(response_id))


def _found(request: web.Request) -> response_history.Stored:
    response_id = request.match_info["id"]
    found = request.app[STATE].responses.get(request[EXCHANGE].client, response_id)
    if found is None:
        raise response_history.unknown_response(response_id)
    return found


def _json(body: Json) -> web.Response:
    return web.Response(body=jsonx.encode(body), content_type="application/json")
