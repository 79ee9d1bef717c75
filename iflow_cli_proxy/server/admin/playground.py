"""`POST /admin/playground`: a question of the page, answered exactly as to a client, and recorded as the page's.

Errors come in OpenAI's shape too: the page shows what a client would see.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.client_key import Caller
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.server.handlers.generate import generate
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.server.middleware.errors import client_error_response
from iflow_cli_proxy.server.middleware.limits import take_in

PROTOCOL: Final = "openai_chat"
CALLER: Final = Caller(name="admin page")
"""No client key can have a name with a blank, so none pays for what is tried here."""


class _StillSignedIn:
    """A question that is held back until after the sign-out is not asked: here is where its body has come."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def recall(self, envelope: Envelope) -> Envelope:
        self._visit.check_still_signed_in()
        return envelope

    def keep(self) -> None:
        """Nothing is remembered here."""


async def ask(visit: Visit) -> web.StreamResponse:
    request = visit.request
    exchange = request[EXCHANGE]
    exchange.caller, exchange.client = CALLER, CALLER.name
    try:
        return await take_in(request, generate(CODECS[PROTOCOL], lambda _: _StillSignedIn(visit)))
    except GatewayError as error:
        return client_error_response(request, error)
