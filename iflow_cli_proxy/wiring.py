"""The one place where interfaces meet implementations.

`Services` holds everything a server or a command works with, built from one tree of settings. A change of settings
builds a new gateway and swaps it; connections, accounts in use and what upstreams listed carry over.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, UpstreamSettings, upstream_leaves
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import GatewayError
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
from iflow_cli_proxy.providers import IFLOW, Surroundings, build_provider, find_accounts, kind_of
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
        self.wired = self._wire(settings.current)
        self.gateway = Live(self.wired.gateway)
        settings.subscribe(self._apply)

    def checked(self, settings: Settings) -> Settings:
        """`settings`, if everything they name can be built; changes nothing and may run in a thread.

        Raises:
            ConfigError: a provider's kind, URL or certificate file is wrong.
        """
        around = self._surroundings(settings)
        for name, table in _enabled(settings).items():
            build_provider(name, table, around)
            if table.ca_file:
                tls_context(table.ca_file)
        return settings

    async def list_upstream_models(self) -> dict[str, GatewayError | None]:
        """Ask every upstream for its list and merge what comes; by provider, what went wrong or None."""
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
        if None in outcome.values():
            self._apply(self.settings.current)  # catalogues belong to a gateway and do not change under it
        return outcome

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()

    def _apply(self, settings: Settings) -> None:
        self.wired = self._wire(settings)
        self.gateway.replace(self.wired.gateway)

    def _wire(self, settings: Settings) -> Wired:
        around = self._surroundings(settings)
        tables = _enabled(settings)
        upstreams: dict[str, Upstream] = {}
        accounts: list[Account] = []
        findings: list[Finding] = []
        for name, table in tables.items():
            found = find_accounts(name, table, around)
            findings += found.findings
            if name not in settings.providers and not found.accounts:
                continue  # iFlow, which is looked for although nobody named it
            provider = self._provider(name, table, around)
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
        models_dir = self._paths.models_dir
        return Surroundings(
            clock=self.clock,
            entropy=self.entropy,
            environ=self._environ,
            read=_read_foreign,
            home=self._home,
            platform=sys.platform,
            thinking=settings.reasoning.thinking,
            model_files={path.stem: path.read_text("utf-8") for path in sorted(models_dir.glob("*.toml"))},
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


def default_upstream(wired: Wired) -> str:
    """Name of the provider that answers for models nobody lists, empty when there is none."""
    named = wired.settings.routing.default_provider.lower()
    names: Iterable[str] = wired.gateway.upstreams
    return named if named in wired.gateway.upstreams else next(iter(names), "")
