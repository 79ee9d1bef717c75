"""Asking an upstream which models it has: off the request path, bounded, and never a reason to fail."""

from __future__ import annotations

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.asking import ask
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.pool.account import Account


async def ask_for_models(upstream: Upstream, account: Account) -> Json:
    """The upstream's own list as it sent it, None when it has none to ask for. Raises what `ask` raises."""
    request = upstream.provider.models_request(account)
    return None if request is None else await ask(upstream, account, request)
