"""The one place where interfaces meet implementations.

`Services` holds everything a server or a command works with, built from one tree of settings. A change of settings
builds a new gateway and swaps it; connections, accounts in use and what upstreams listed carry over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import read_toml
from iflow_cli_proxy.config.safety import check_safe
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, UpstreamSettings, upstream_leaves
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.core.ids import Entropy, buffered
from iflow_cli_proxy.gateway.attempt import AnswerRules, Upstream
from iflow_cli_proxy.gateway.deadline import Limits
from iflow_cli_proxy.gateway.exchange import Gateway, GatewayRules
from iflow_cli_proxy.gateway.model_list import ask_for_models
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.providers import IFLOW, Surroundings, build_provider, find_accounts, kind_of, sign_in_files
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.providers.discovery import FileText, Finding
from iflow_cli_proxy.providers.model_list import parse_models
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.routing.parameters import ParameterRule
from iflow_cli_proxy.routing.resolve import RoutingTable
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import Transport, TransportOptions
from iflow_cli_proxy.transport.trust import tls_context

_LOG: Final = logging.getLogger("iflow2api.wiring")
_LARGEST_FOREIGN_FILE_BYTES: Final = 1024 * 1024


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
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.entropy = buffered(entropy)
        self.pool = AccountPool()
        self.turnstile = Turnstile(self.pool)
        self._home = home or Path.home()
        self._paths = paths
        self._environ = environ
        self._budget = RetryBudget()
        self._transports: dict[TransportOptions, Transport] = {}
        self._listed: dict[str, list[Model]] = {}
        self._built: dict[str, tuple[object, Provider]] = {}
        """Providers by name, each with what it was made of."""
        self._unused: list[Transport] = []
        self._transports_are_used = asyncio.Lock()
        """Held while upstreams are asked for their models, which is no request that a server counts."""
        self._around = self._surroundings(settings.current)
        self.wired = self._wire(settings.current, self._around)
        self.gateway = Live(self.wired.gateway)
        settings.subscribe(self._apply)

    def outside_files(self) -> tuple[Path, ...]:
        """Files that hold no settings but belong to what is wired: model data and the sign-ins of other programs.

        Looks into a folder, so it is for a thread.
        """
        models_dir = self._paths.models_dir
        own = (models_dir, *sorted(models_dir.glob("*.toml")))
        return (*own, *sign_in_files(self._environ, self._home, sys.platform))

    async def list_upstream_models(self) -> dict[str, GatewayError | None]:
        """Ask every upstream for its list and merge what comes; by provider, what went wrong or None."""
        async with self._transports_are_used:
            outcome = await self._ask_all()
        if None in outcome.values():
            # Catalogues belong to a gateway and do not change under it.
            self._put_in_force(self.settings.current, self._around)
        return outcome

    @property
    def unused(self) -> tuple[Transport, ...]:
        """Transports that the gateway in force does not use; requests that began under an earlier one still may."""
        return tuple(self._unused)

    async def close_unused(self, transports: Iterable[Transport]) -> None:
        """Close some of `unused`; the caller knows that no request uses them any more."""
        async with self._transports_are_used:
            for transport in transports:
                if transport in self._unused:
                    await transport.aclose()
                    self._unused.remove(transport)

    async def aclose(self) -> None:
        for transport in (*self._transports.values(), *self._unused):
            await transport.aclose()
        self._transports.clear()
        self._unused.clear()

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
        self._put_in_force(settings, self._surroundings(settings))

    def _put_in_force(self, settings: Settings, around: Surroundings) -> None:
        self.wired = self._wire(settings, around)
        self._around = around
        self._set_unused_aside()
        self.gateway.replace(self.wired.gateway)

    def _set_unused_aside(self) -> None:
        used = {id(upstream.transport) for upstream in self.wired.gateway.upstreams.values()}
        for options, transport in tuple(self._transports.items()):
            if id(transport) not in used:
                self._unused.append(self._transports.pop(options))

    def _wire(self, settings: Settings, around: Surroundings) -> Wired:
        tables = _enabled(settings)
        upstreams: dict[str, Upstream] = {}
        accounts: list[Account] = []
        findings: list[Finding] = []
        for name, table in tables.items():
            found = find_accounts(name, table, around)
            findings += found.findings
            if name not in settings.providers and not found.accounts:
                continue  # iFlow, which is looked for although nobody named it
            # A sign-in may lead elsewhere; whose service that is, the provider must know.
            elsewhere = next((account.base_url for account in found.accounts if account.base_url), table.base_url)
            provider = self._provider(name, replace(table, base_url=elsewhere), around)
            accounts += found.accounts
            upstreams[name] = Upstream(
                provider=provider,
                transport=self._transport(table),
                stream_limits=_limits(table, "total", table.total_timeout_s),
                json_limits=_limits(table, "json_total", table.json_total_timeout_s),
            )
        self.pool.replace(accounts)
        self.turnstile.places = settings.routing.queue_places
        self.turnstile.timeout_s = settings.routing.queue_timeout_s
        self.turnstile.let_in()
        gateway = Gateway(
            codecs=CODECS,
            upstreams=upstreams,
            table=_routing_table(settings, upstreams),
            turnstile=self.turnstile,
            rules=_rules(settings),
            budget=self._budget,
            clock=self.clock,
            chance=random.SystemRandom().random,
        )
        return Wired(
            settings=settings,
            providers={name: tables[name] for name in upstreams},
            gateway=gateway,
            accounts=tuple(accounts),
            findings=tuple(findings),
        )

    def _provider(self, name: str, table: ProviderSettings, around: Surroundings) -> Provider:
        """The one there is while its settings stay the same, so that its sessions upstream go on."""
        made_of = (table, around.thinking, around.model_files)
        known = self._built.get(name)
        if known is None or known[0] != made_of:
            known = self._built[name] = (made_of, build_provider(name, table, around))
        known[1].catalog.merge_remote(self._listed.get(name, ()))
        return known[1]

    def _surroundings(self, settings: Settings) -> Surroundings:
        return surroundings(
            settings, self._paths, self._environ, clock=self.clock, entropy=self.entropy, home=self._home
        )

    def _transport(self, table: ProviderSettings) -> Transport:
        """Equal options share connections, across providers and across reloads."""
        options = TransportOptions(
            kind=table.transport,
            impersonate=table.impersonate,
            proxy=table.proxy,
            trust_env=table.trust_env,
            ca_file=table.ca_file,
            connect_timeout_s=table.connect_timeout_s,
        )
        if options not in self._transports:
            self._transports[options] = open_transport(options)
        return self._transports[options]


def surroundings(
    settings: Settings,
    paths: Paths,
    environ: Mapping[str, str],
    *,
    clock: Clock,
    entropy: Entropy,
    home: Path,
) -> Surroundings:
    """What providers are given of this machine. Raises ConfigError when model data of the person cannot be read."""
    return Surroundings(
        clock=clock,
        entropy=entropy,
        environ=environ,
        read=_read_foreign,
        home=home,
        platform=sys.platform,
        thinking=settings.reasoning.thinking,
        model_files={path.stem: read_toml(path) for path in sorted(paths.models_dir.glob("*.toml"))},
    )


def checked(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Settings:
    """The same settings, if a gateway could serve with them; opens nothing and may run in a thread.

    Raises:
        ConfigError: they are unsafe, or something they name is not there or cannot be built.
    """
    check_safe(settings)
    around = surroundings(settings, paths, environ, clock=SystemClock(), entropy=os.urandom, home=Path.home())
    tables = _enabled(settings)
    for name, table in tables.items():
        build_provider(name, table, around)
        _check_authorities(name, table, settings.upstream)
    _rules(settings)
    named = settings.routing.default_provider
    if named and named.lower() not in tables:
        raise ConfigError(
            f"There is no enabled provider called {named!r}.",
            param="routing.default_provider",
            hint=f"choose one of {', '.join(tables)}" if tables else f"write a table [providers.{named}]",
        )
    return settings


def _check_authorities(name: str, table: ProviderSettings, shared: UpstreamSettings) -> None:
    if not table.ca_file:
        return
    try:
        tls_context(table.ca_file)
    except ConfigError as error:
        setting = "upstream.ca_file" if table.ca_file == shared.ca_file else f"providers.{name}.ca_file"
        raise ConfigError(
            f"The certificate bundle in {setting} cannot be used.", param=setting, hint=error.hint
        ) from error


def _enabled(settings: Settings) -> dict[str, ProviderSettings]:
    """The tables of the configuration that are on, and iFlow in any case: an existing sign-in needs no command."""
    tables = {name.lower(): table for name, table in settings.providers.items() if table.enabled}
    if IFLOW not in settings.providers and not any(kind_of(*item) == IFLOW for item in tables.items()):
        tables[IFLOW] = ProviderSettings(**upstream_leaves(settings.upstream))
    return tables


def _limits(table: UpstreamSettings, total_name: str, total_s: float) -> Limits:
    return Limits(
        first_byte_s=table.first_byte_timeout_s,
        idle_s=table.idle_timeout_s,
        content_s=table.content_timeout_s,
        total_s=total_s,
        total_name=total_name,
    )


def _routing_table(settings: Settings, upstreams: Mapping[str, Upstream]) -> RoutingTable:
    return RoutingTable(
        catalogs={name: upstream.provider.catalog for name, upstream in upstreams.items()},
        default_provider=settings.routing.default_provider.lower(),
        aliases=settings.models.aliases,
        passes_unknown=settings.routing.unknown_models == "pass",
    )


def _rules(settings: Settings) -> GatewayRules:
    resilience = settings.resilience
    return GatewayRules(
        retry=RetryRules(
            max_attempts=resilience.max_attempts,
            same_account=resilience.retry_attempts,
            backoff_s=resilience.retry_backoff_ms / 1000,
            allows_ambiguous=resilience.retry_ambiguous,
            statuses=frozenset(resilience.retry_status_codes),
        ),
        answer=AnswerRules(
            parameters=tuple(
                ParameterRule(pattern=pattern, default=rule.default, override=rule.override, remove=rule.remove)
                for pattern, rule in settings.models.parameters.items()
            ),
            merges_reasoning=not settings.reasoning.preserve,
            names_account=settings.server.response_headers,
        ),
    )


def _read_foreign(path: Path) -> FileText | None:
    """A file of another program, as far as it is one of sane size."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FOREIGN_FILE_BYTES)
            return FileText(data=data, modified_at=os.fstat(file.fileno()).st_mtime)
    except (FileNotFoundError, NotADirectoryError):
        return None
