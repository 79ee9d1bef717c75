"""The one place where interfaces meet implementations.

`Services` holds everything a server or a command works with, built from one tree of settings. A change of settings
builds a new gateway and swaps it; connections, accounts in use and what upstreams listed carry over.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ProviderSettings, Settings
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.ids import Entropy, buffered
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.model_list import ask_for_models
from iflow_cli_proxy.gateway.retry import RetryBudget
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.providers import build_provider, sign_in_files
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.providers.model_list import parse_models
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.wiring.accounts import Accounts, KnownAccount
from iflow_cli_proxy.wiring.renewing import PoolRenewal
from iflow_cli_proxy.wiring.rules import gateway_rules, json_limits, routing_table, stream_limits
from iflow_cli_proxy.wiring.transports import Transports


@dataclass(frozen=True, kw_only=True)
class Wired:
    """One tree of settings made real, all but the connections."""

    settings: Settings
    providers: Mapping[str, ProviderSettings]
    """The enabled ones, those found without a table included."""
    gateway: Gateway
    accounts: tuple[Account, ...]
    findings: tuple[Finding, ...]


class Services:
    """Belongs to one event loop; `aclose()` it there."""

    def __init__(
        self,
        settings: Live[Settings],
        paths: Paths,
        environ: Mapping[str, str],
        *,
        clock: Clock | None = None,
        entropy: Entropy = os.urandom,
        home: Path | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.entropy = buffered(entropy)
        self.pool = AccountPool()
        self.turnstile = Turnstile(self.pool)
        self.transports = Transports()
        self.accounts = Accounts(
            settings.current,
            paths,
            environ,
            clock=self.clock,
            entropy=self.entropy,
            home=home,
            transports=self.transports,
            ask=ask,
        )
        self.renewal = PoolRenewal(self.accounts, self.pool, on_refused=self.wire_again)
        self._home = home or Path.home()
        self._paths = paths
        self._environ = environ
        self._budget = RetryBudget()
        self._listed: dict[str, list[Model]] = {}
        self._built: dict[str, tuple[object, Provider]] = {}
        """Providers by name, each with what it was made of."""
        self.wired = self._wire(settings.current)
        self.gateway = Live(self.wired.gateway)
        self.accounts.listeners.append(self._take_up_account)
        settings.subscribe(self._apply)

    def outside_files(self) -> tuple[Path, ...]:
        """Files that hold no settings but belong to what is wired: model data and the sign-ins of other programs.

        Looks into a folder, so it is for a thread.
        """
        models_dir = self._paths.models_dir
        own = (models_dir, *sorted(models_dir.glob("*.toml")))
        return (*own, *sign_in_files(self._environ, self._home, sys.platform, self.accounts.around.list_names))

    async def list_upstream_models(self) -> dict[str, GatewayError | None]:
        """Ask every upstream for its list and merge what comes; by provider, what went wrong or None."""
        async with self.transports.are_used:
            outcome = await self._ask_all()
        if None in outcome.values():
            self.wire_again()  # catalogues belong to a gateway and do not change under it
        return outcome

    def wire_again(self) -> None:
        """Read the accounts again and build a new gateway around them, under the same settings."""
        self._put_in_force(self.settings.current)

    async def aclose(self) -> None:
        await self.accounts.aclose()

    async def _ask_all(self) -> dict[str, GatewayError | None]:
        outcome: dict[str, GatewayError | None] = {}
        for name, upstream in self.wired.gateway.upstreams.items():
            account = next((account for account in self.wired.accounts if account.provider == name), None)
            if account is None:
                continue
            try:
                models = parse_models(await ask_for_models(upstream, account))
            except GatewayError as error:
                outcome[name] = error
                continue
            self._listed[name] = models
            outcome[name] = None
        return outcome

    def _apply(self, settings: Settings) -> None:
        self.accounts.take_up(settings)
        self._put_in_force(settings)

    def _put_in_force(self, settings: Settings) -> None:
        self.wired = self._wire(settings)
        self.transports.set_aside_all_but(upstream.transport for upstream in self.wired.gateway.upstreams.values())
        self.gateway.replace(self.wired.gateway)

    def _take_up_account(self, saved: SavedAccount) -> None:
        """A refresh has brought a newer credential, or has found that only a person can."""
        known = self.accounts.find(saved.id)
        standing = next((one for one in self.pool.standings() if one.account.id == saved.id), None)
        is_usable = known is not None and known.is_usable(self.clock.now())
        if known is not None and standing is not None and is_usable:
            self.pool.renew(
                replace(self.accounts.as_account(known), concurrency=standing.account.concurrency)
            )  # fmt: skip
        elif is_usable or standing is not None:
            self.wire_again()

    def _wire(self, settings: Settings) -> Wired:
        known = self.accounts.known()
        tables = self.accounts.tables(one.saved.provider for one in known if one.is_ours)
        upstreams: dict[str, Upstream] = {}
        accounts: list[Account] = []
        for name, table in tables.items():
            of_this = [one for one in known if one.saved.provider == name]
            if name not in {written.lower() for written in settings.providers} and not of_this:
                continue  # iFlow, which is looked for although nobody named it
            # A sign-in may lead elsewhere; whose service that is, the provider must know.
            elsewhere = next((one.saved.base_url for one in of_this if one.saved.base_url), table.base_url)
            provider = self._provider(name, replace(table, base_url=elsewhere))
            usable = [one for one in of_this if self._is_usable(one)]
            accounts += (
                self.accounts.as_account(one, default_concurrency=provider.default_concurrency) for one in usable
            )
            upstreams[name] = Upstream(
                provider=provider,
                transport=self.transports.of(table),
                stream_limits=stream_limits(table),
                json_limits=json_limits(table),
                needs_login=bool(of_this) and not usable,
            )
        self.pool.replace(accounts)
        self.turnstile.places = settings.routing.queue_places
        self.turnstile.timeout_s = settings.routing.queue_timeout_s
        self.turnstile.let_in()
        gateway = Gateway(
            codecs=CODECS,
            upstreams=upstreams,
            table=routing_table(settings, {name: one.provider.catalog for name, one in upstreams.items()}),
            turnstile=self.turnstile,
            rules=gateway_rules(settings),
            budget=self._budget,
            clock=self.clock,
            chance=random.SystemRandom().random,
            renewal=self.renewal,
        )
        return Wired(
            settings=settings,
            providers={name: tables[name] for name in upstreams},
            gateway=gateway,
            accounts=tuple(accounts),
            findings=self.accounts.findings,
        )

    def _is_usable(self, one: KnownAccount) -> bool:
        return one.is_usable(self.clock.now()) and not self.renewal.is_refused(one.saved)

    def _provider(self, name: str, table: ProviderSettings) -> Provider:
        """The one there is while its settings stay the same, so that its sessions upstream go on."""
        around = self.accounts.around
        made_of = (table, around.thinking, around.model_files)
        known = self._built.get(name)
        if known is None or known[0] != made_of:
            known = self._built[name] = (made_of, build_provider(name, table, around))
        known[1].catalog.merge_remote(self._listed.get(name, ()))
        return known[1]
