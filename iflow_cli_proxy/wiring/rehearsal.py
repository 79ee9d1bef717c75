"""What an upstream would be sent for a request, by the settings of today; nothing leaves this machine.

The whole way of a request is gone, with one account and a transport that only writes down what it is given. The key is
a stand-in, and so are ids and times that are made anew for each request.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import GatewayError, NotFound, Unreachable
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.retry import RetryBudget
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.providers import build_provider
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.state.profiles import load_profiles
from iflow_cli_proxy.transport.base import UpstreamReply, UpstreamRequest
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.rules import gateway_rules, routing_table

STAND_IN: Final = "sk-0123456789abcdef0123456789abcdef"
"""In place of a key: as long as iFlow's."""
_PLACE: Final = re.compile(r"\{(?P<name>\w+)(?::(?P<pattern>[^{}]+))?\}")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A client's request, and whose answer is wanted."""

    protocol: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    provider: str
    account: str = ""
    """The label of the account that it went to; another one is taken for a key that was pasted."""


async def rehearse(
    asked: Asked, settings: Settings, paths: Paths, environ: Mapping[str, str], *, clock: Clock | None = None
) -> UpstreamRequest:
    """The request that would go out.

    Raises:
        ConfigError: there is no such provider.
        GatewayError: nothing would go out.
    """
    clock = clock or SystemClock()
    accounts = Accounts(settings, paths, environ, clock=clock, opens_secrets=False)
    writer = _Writer()
    try:
        gateway = _gateway(asked, settings, paths, accounts, writer, clock)
        exchange = Exchange(request_id="rehearsal", protocol=asked.protocol, started_at=clock.monotonic())
        await gateway.answer(_inbound(asked), exchange)
    except GatewayError:
        if writer.request is None:
            raise
    finally:
        await accounts.aclose()
    assert writer.request is not None, "nothing is answered that was not sent"
    return writer.request


class _Writer:
    """A transport that reaches nobody."""

    def __init__(self) -> None:
        self.request: UpstreamRequest | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        self.request = self.request or request
        raise Unreachable("This was a rehearsal.")

    async def aclose(self) -> None:
        return


def _gateway(
    asked: Asked, settings: Settings, paths: Paths, accounts: Accounts, writer: _Writer, clock: Clock
) -> Gateway:
    name = asked.provider
    table = accounts.table(name)
    account = _account(asked, accounts)
    base_url = account.base_url or table.base_url
    upstream = Upstream(
        provider=build_provider(name, replace(table, base_url=base_url), accounts.around),
        transport=writer,
        probed=load_profiles(paths.profiles_dir).get(name),
    )
    rules = gateway_rules(settings)
    return Gateway(
        codecs=CODECS,
        upstreams={name: upstream},
        table=routing_table(settings, {name: upstream.provider.catalog}),
        turnstile=Turnstile(AccountPool([account]), now=clock.monotonic),
        rules=replace(rules, retry=replace(rules.retry, max_attempts=1)),
        budget=RetryBudget(),
        clock=clock,
        chance=random.SystemRandom().random,
    )


def _account(asked: Asked, accounts: Accounts) -> Account:
    """The one that it went to, without its key; or a stand-in."""
    mine = [one for one in accounts.known() if one.saved.provider == asked.provider]
    known = next((one for one in mine if one.saved.label == asked.account), None)
    if known is None:
        return Account(id="rehearsal", provider=asked.provider, label="rehearsal", api_key=Secret(STAND_IN))
    account = accounts.as_account(known)
    key = Secret(STAND_IN) if account.api_key or known.saved.tokens is not None else account.api_key
    return replace(account, api_key=key, concurrency=0, rpm=0, tpm=0, fresh_until=float("inf"))


def _inbound(asked: Asked) -> Inbound:
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return Inbound(
        protocol=asked.protocol,
        body=asked.body,
        headers=headers,
        path=_places(asked.protocol, asked.path),
        request_id="rehearsal",
    )


def _places(protocol: str, path: str) -> Mapping[str, str]:
    """What stands in the places of the route that a path fits. Raises NotFound when it fits none."""
    for spec in CODECS[protocol].routes:
        pattern = _PLACE.sub(lambda found: f"(?P<{found['name']}>{found['pattern'] or '[^/]+'})", spec.path)
        if match := re.fullmatch(pattern, path):
            return match.groupdict()
    raise NotFound(f"{path[:100]!r} is no path of the protocol {protocol}.")
