"""The typed keys under which shared objects live in the application and per-request values in a request."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.state import ServerState

STATE: Final = web.AppKey("state", ServerState)
QUESTIONS: Final = web.AppKey("questions", dict[object, str])
"""The protocol of each handler that answers prompts: what comes to one of them is a question, answered or refused."""
EXCHANGE: Final = web.RequestKey("exchange", Exchange)
METRICS_PATH: Final = "/metrics"
"""Which the settings may open to callers without a key."""
