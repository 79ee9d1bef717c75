"""`GET /debug/accounts` and `POST /debug/accounts/{id}/reset`: how each account fares, and a fresh start for one.

For whoever may use every account and every model (`privilege.py`).
"""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.server.account_rows import account_rows
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import STATE
from iflow_cli_proxy.server.origin import refuse_other_origins
from iflow_cli_proxy.server.privilege import refuse_limited_callers


async def list_accounts(request: web.Request) -> web.Response:
    """Every account that is known, those included that are not in use."""
    refuse_strangers(request)
    return json_answer({"accounts": account_rows(request.app[STATE])})


async def reset(request: web.Request) -> web.Response:
    """Clear rests, breakers, counts of failures and marks; an account that a person has switched off stays off."""
    refuse_strangers(request)
    if not await request.app[STATE].reset_account(request.match_info["id"]):
        raise NotFound("There is no such account.", hint="`iflow2api token list --json` shows the ids")
    return json_answer({"reset": True})


def refuse_strangers(request: web.Request) -> None:
    """Raises Forbidden for a page of another origin and for a caller who may not use everything."""
    refuse_other_origins(request)
    refuse_limited_callers(request)
