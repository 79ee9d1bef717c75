"""Could a gateway serve with these settings? Found out without opening anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from iflow_cli_proxy.config.safety import check_safe
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, UpstreamSettings
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers import build_provider, sign_in_of
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.telemetry.traces import check_installed
from iflow_cli_proxy.transport.trust import tls_context
from iflow_cli_proxy.wiring.known import opens_door
from iflow_cli_proxy.wiring.pricing import all_prices
from iflow_cli_proxy.wiring.rules import gateway_rules
from iflow_cli_proxy.wiring.surroundings import enabled_tables, surroundings


def checked(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> Settings:
    """The same settings, if a gateway could serve with them; opens nothing and may run in a thread.

    Raises:
        ConfigError: they are unsafe, or something they name is not there or cannot be built.
    """
    check_safe(settings, has_other_keys=has_keys(settings, paths))
    around = surroundings(settings, paths, environ, clock=SystemClock(), entropy=os.urandom, home=Path.home())
    tables = enabled_tables(settings, {account.provider for account in _kept(paths)})
    for name, table in tables.items():
        build_provider(name, table, around)
        sign_in_of(name, table, around)
        _check_authorities(name, table, settings.upstream)
    gateway_rules(settings)
    check_installed(settings.tracing)
    named = settings.routing.default_provider
    if named and named.lower() not in tables:
        raise ConfigError(
            f"There is no enabled provider called {named!r}.",
            param="routing.default_provider",
            hint=f"choose one of {', '.join(tables)}" if tables else f"write a table [providers.{named}]",
        )
    all_prices(paths)
    return settings


def _kept(paths: Paths) -> tuple[SavedAccount, ...]:
    """Our accounts, as far as files can be read without their secrets."""
    try:
        loaded = AccountStore(paths.accounts_dir, clock=SystemClock()).load()
    except StateError:
        return ()  # whoever opens the accounts says so
    sealed = (file.account for file in loaded.damaged if file.account is not None)
    return (*loaded.accounts, *sealed)


def has_keys(settings: Settings, paths: Paths) -> bool:
    """Whether anybody could call with a key of keys.toml, or with the id of an account where those are taken for keys.

    A damaged file is told by the server that opens it.
    """
    if settings.auth.accept_account_ids and any(opens_door(account) for account in _kept(paths)):
        return True
    try:
        return KeyFile(paths.keys_file).load().has_usable(SystemClock().now())
    except StateError:
        return True


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
