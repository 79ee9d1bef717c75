"""What upstreams themselves say which models they have, as far as they were asked. Refuses to know when that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iflow_cli_proxy.core.errors import CredentialError, GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.model_list import ask_for_models
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.providers.model_list import parse_models
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.wiring.renewing import PoolRenewal


class UpstreamLists:
    """One for each `Services`: outlives the gateways, whose catalogues take it in."""

    def __init__(self, pool: AccountPool, renewal: PoolRenewal) -> None:
        self._pool = pool
        self._renewal = renewal
        self._listed: dict[str, list[Model]] = {}

    def of(self, provider: str) -> Sequence[Model]:
        """What it said last; nothing when it never did."""
        return self._listed.get(provider, ())

    async def ask(self, upstreams: Mapping[str, Upstream]) -> dict[str, GatewayError | None]:
        """Ask each that has an account for its list; by provider, what went wrong or None."""
        outcome: dict[str, GatewayError | None] = {}
        for name, upstream in upstreams.items():
            account = next((standing.account for standing in self._pool.standings(name)), None)
            if account is None:
                continue
            try:
                self._listed[name] = parse_models(await self._ask_one(upstream, account))
            except GatewayError as error:
                outcome[name] = error
            else:
                outcome[name] = None
        return outcome

    async def _ask_one(self, upstream: Upstream, account: Account) -> Json:
        """Its list of models; a bearer that is refused is renewed once."""
        try:
            return await ask_for_models(upstream, account)
        except CredentialError:
            newer = await self._renewal.renew(account)
            if newer is None:
                raise
            return await ask_for_models(upstream, newer)
