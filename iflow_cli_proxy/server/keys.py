"""The typed keys under which shared objects live in the application and per-request values in a request."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.state import ServerState

STATE: Final = web.AppKey("state", ServerState)
EXCHANGE: Final = web.RequestKey("exchange", Exchange)
