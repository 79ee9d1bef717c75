"""`GET /debug/live`: what is going on at this moment, for whoever may use every account and every model."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.server.handlers.accounts import refuse_strangers
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import STATE
from iflow_cli_proxy.server.live import snapshot


async def show_live(request: web.Request) -> web.Response:
    refuse_strangers(request)
    return json_answer(snapshot(request.app[STATE]))
