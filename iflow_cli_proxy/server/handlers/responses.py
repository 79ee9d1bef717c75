"""The part of OpenAI's Responses that has a memory: going on from an earlier answer, and asking for it again."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.client_key import Caller
from iflow_cli_proxy.protocols import response_history
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import EXCHANGE, STATE
from iflow_cli_proxy.server.stored_responses import StoredResponses

PROTOCOL = "openai_responses"


class Turn:
    """One request on its way: what came before it is put in front, and what comes of it is kept."""

    def __init__(self, memory: StoredResponses, exchange: Exchange) -> None:
        self._memory = memory
        self._exchange = exchange
        self._owner = owner_of(exchange.caller)
        self._envelope: Envelope | None = None
        """What is to be kept with the answer, until that has been done."""

    def recall(self, envelope: Envelope) -> Envelope:
        """Raises InvalidRequest when the earlier answer is not known, or not any more."""
        if earlier := response_history.previous_id(envelope):
            past = self._memory.get(self._owner, earlier)
            if past is None:
                raise response_history.unknown_previous(earlier)
            envelope = response_history.continued(envelope, past)
        self._envelope = envelope
        return envelope

    def keep(self) -> None:
        """Once the answer is whole. Before its last words go out: a client may go on as soon as it has read them."""
        response = getattr(self._exchange.voice, "response", None)
        if self._envelope is None or response is None or self._exchange.error_kind:
            return
        value = response_history.stored(self._envelope, response)
        self._envelope = None
        if value is not None:
            self._memory.put(self._owner, value)


def owner_of(caller: Caller) -> str:
    """Who may go on from an answer: by what a caller is, as names are given to others; empty for somebody unknown."""
    return caller.key.digest.hex() if caller.key is not None else caller.account_id


def begin(request: web.Request) -> Turn:
    return Turn(request.app[STATE].responses, request[EXCHANGE])


async def get_response(request: web.Request) -> web.Response:
    if request.query.get("stream", "").lower() not in ("", "false", "0"):
        raise InvalidRequest(
            "`stream`: an answer that is kept is not streamed again.", param="stream", hint="leave `stream` out"
        )
    return json_answer(_found(request).response)


async def list_input_items(request: web.Request) -> web.Response:
    query = request.query
    page = response_history.input_items(
        _found(request), limit=query.get("limit", ""), order=query.get("order", ""), after=query.get("after", "")
    )
    return json_answer(page)


async def delete_response(request: web.Request) -> web.Response:
    response_id = request.match_info["id"]
    if not request.app[STATE].responses.delete(owner_of(request[EXCHANGE].caller), response_id):
        raise response_history.unknown_response(response_id)
    return json_answer(response_history.deleted(response_id))


def _found(request: web.Request) -> response_history.Stored:
    response_id = request.match_info["id"]
    found = request.app[STATE].responses.get(owner_of(request[EXCHANGE].caller), response_id)
    if found is None:
        raise response_history.unknown_response(response_id)
    return found
