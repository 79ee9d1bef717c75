"""Does this account work? One cheap call says so: the upstream's model list, or where there is none a few tokens."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import GatewayError, Malformed, NotFound, Rejected, UnknownModel
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.asking import ask
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.model_list import ask_for_models
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call

_FEWEST_TOKENS: Final = 16
"""Some upstreams refuse less."""
_HELLO_WITHIN_S: Final = 30.0
_SAYS_NOTHING: Final = (Rejected, UnknownModel, NotFound, Malformed)
"""How an upstream without a list answers, whatever the key."""


async def probe(upstream: Upstream, account: Account) -> Json:
    """The upstream's model list as it sent it; None when a short chat stood in for it, or there is nothing to ask.

    Raises:
        GatewayError: the account does not work, or its upstream does not.
    """
    model = next((model.id for model in upstream.provider.catalog.listed()), "")
    try:
        listed = await ask_for_models(upstream, account)
    except GatewayError as error:
        if not model or not isinstance(error, _SAYS_NOTHING):
            raise
        listed = None
    if listed is None and model:
        await _say_hello(upstream, account, model)
    return listed


async def _say_hello(upstream: Upstream, account: Account, model: str) -> None:
    fields = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": _FEWEST_TOKENS}
    request = upstream.provider.prepare(Call(account=account, model=model, fields=fields, is_stream=False))
    answer = await ask(upstream, account, request, limit_s=_HELLO_WITHIN_S)
    if not isinstance(answer, dict) or not answer.get("choices"):
        raise Malformed("The upstream's answer has no choices.")
