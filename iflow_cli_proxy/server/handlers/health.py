"""`/health`: the process is alive. `/ready`: it can serve, or what is missing. `/`: what this is, for people and for
clients of Ollama, who look there first."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import STATE
from iflow_cli_proxy.server.state import ServerState


async def greet(request: web.Request) -> web.Response:
    return web.Response(text="iflow2api: running")


async def health(request: web.Request) -> web.Response:
    return json_answer({"status": "ok", "version": __version__})


async def ready(request: web.Request) -> web.Response:
    """200 when work is taken and some account could do it, else 503 with the reason and the next step."""
    state = request.app[STATE]
    gateway = state.gateway.current
    accounts = len(gateway.turnstile.pool.standings())
    if state.is_draining:
        reason = "draining"
    elif not state.is_accepting:
        reason = "stopped: it was told on the admin page to take no requests"
    elif not accounts:
        reason = "no account: `iflow2api login` signs one in, `iflow2api token list` shows what there is"
    else:
        return json_answer({"status": "ready", "accounts": accounts, **_worries(state)})
    return json_answer({"status": "not ready", "reason": reason, "accounts": accounts}, status=503)


def _worries(state: ServerState) -> dict[str, jsonx.Json]:
    """What works on for now but needs a person (RELIABILITY F51)."""
    unsaved = state.accounts.refresher.unsaved
    if not unsaved:
        return {}
    return {"degraded": f"the newest credentials of {len(unsaved)} accounts could not be saved; see the log"}
