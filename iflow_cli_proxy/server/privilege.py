"""What is about every account is for callers who may use every account.

A client key for some accounts or models only neither sees, resets nor replaces what others use.
"""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.core.errors import Forbidden
from iflow_cli_proxy.server.keys import EXCHANGE


def refuse_limited_callers(request: web.Request) -> None:
    """Raises Forbidden for a caller who may not use everything."""
    caller = request[EXCHANGE].caller
    key = caller.key
    if caller.account_id or (key is not None and (key.accounts or key.pool or key.models)):
        raise Forbidden(
            "This client key is for some accounts or models only, and this is about all.",
            hint="use a key without `accounts`, `pool` and `models`",
        )
