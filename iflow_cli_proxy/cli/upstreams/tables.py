"""Providers by URL and key: written into overrides.toml, listed, taken out again. Imported only by `upstream`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from iflow_cli_proxy.cli.accounts.naming import name_of, open_accounts
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config import checks
from iflow_cli_proxy.config.load import read_text
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret, mask_url
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.providers import is_known_name, kind_of
from iflow_cli_proxy.providers.presets import presets
from iflow_cli_proxy.signin.enrol import enrol
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.state.overrides import REMOVED
from iflow_cli_proxy.state.profiles import forget_profile, list_profiles
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.saving import save_settings

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, kw_only=True)
class UpstreamRow:
    """One provider as `upstream list --json` shows it."""

    name: str
    kind: str
    base_url: str
    origin: str
    """overrides, config, or sign-in for one that needs no table."""
    enabled: bool
    accounts: int
    probed_at: str
    probed_model: str
    profile: Mapping[str, Json]


def add_upstream(
    opened: Session, name: str, base_url: str, key: str, *, kind: str = "", models: Sequence[str] = ()
) -> tuple[Accounts, SavedAccount | None]:
    """The table, and the account if there is a key; both or none of them. Raises GatewayError."""
    name = _checked_name(opened, name)
    wrong = checks.http_url_or_empty(base_url)
    if wrong or not base_url:
        raise ConfigError(
            f"--base-url takes {wrong or 'the URL where its API begins'}.",
            param="--base-url",
            hint=f"iflow2api upstream add {name} --base-url https://llm.example.com/v1",
        )
    changes: list[tuple[tuple[str, ...], Any]] = [(("providers", name, "base_url"), base_url)]
    if kind:
        changes.append((("providers", name, "kind"), kind))
    if models:
        changes.append((("providers", name, "models"), list(models)))
    accounts = open_accounts(opened)
    made: list[SavedAccount] = []

    def keep_key() -> None:
        if key:
            signed_in = SignedIn(auth_type=AuthType.API_KEY, api_key=Secret(key))
            now = accounts.clock.now()
            made.append(enrol(accounts.store, name, signed_in, now=now, entropy=accounts.entropy).account)

    save_settings(opened.sources(), opened.paths(), changes, before=keep_key)
    return open_accounts(opened), made[0] if made else None


def list_upstreams(opened: Session) -> list[UpstreamRow]:
    """Every provider of the configuration, and those that accounts are kept for. Raises GatewayError."""
    settings, _ = opened.load()
    accounts = open_accounts(opened, can_ask=False, opens_secrets=False)
    known = accounts.known()
    overridden = _tables_in_overrides(opened)
    kept = {one.provider: one for one in list_profiles(opened.paths().profiles_dir)}
    tables = {name.lower(): table for name, table in settings.providers.items()}
    used = {one.saved.provider for one in known}
    tables.update((name, table) for name, table in accounts.tables(used).items() if name in used)
    rows = []
    for name, table in tables.items():
        kind, probed = kind_of(name, table), kept.get(name)
        preset = presets().get(kind)
        rows.append(
            UpstreamRow(
                name=name,
                kind=kind,
                base_url=mask_url(table.base_url or (preset.base_url if preset else "")),
                origin=_origin(name, overridden, settings.providers),
                enabled=table.enabled,
                accounts=sum(one.saved.provider == name for one in known),
                probed_at=probed.probed_at if probed else "",
                probed_model=probed.model if probed else "",
                profile=jsonx.to_builtins(probed.profile) if probed else {},
            )
        )
    return rows


def refuse_removal(opened: Session, name: str) -> list[SavedAccount]:
    """The accounts that would go with it. Raises ConfigError when it is not ours to take out."""
    name = name.lower()
    if name not in _tables_in_overrides(opened):
        settings, _ = opened.load()
        if name in {each.lower() for each in settings.providers}:
            raise ConfigError(
                f"{name} stands in the configuration file, which belongs to you.",
                detail=str(opened.paths().config_file),
                hint=f"take [providers.{name}] out there, or: iflow2api config set providers.{name}.enabled false",
            )
        raise ConfigError(f"There is no upstream called {name!r}.", param="--name", hint="iflow2api upstream list")
    known = open_accounts(opened, can_ask=False, opens_secrets=False).known()
    return [one.saved for one in known if one.is_ours and one.saved.provider == name]


def remove_upstream(opened: Session, name: str, accounts: Sequence[SavedAccount]) -> None:
    """Its table, its accounts and what was found out about it. Raises GatewayError."""
    name = name.lower()
    save_settings(opened.sources(), opened.paths(), [(("providers", name), REMOVED)])
    store = open_accounts(opened, can_ask=False, opens_secrets=False).store
    for account in accounts:
        store.delete(account.id)
    forget_profile(opened.paths().profiles_dir, name)


def named(accounts: Sequence[SavedAccount]) -> str:
    return ", ".join(map(name_of, accounts))


def as_json(row: UpstreamRow) -> dict[str, Json]:
    return asdict(row)


def _checked_name(opened: Session, name: str) -> str:
    settings, _ = opened.load()
    lower = name.strip().lower()
    if not _NAME.fullmatch(lower):
        raise ConfigError(f"{name!r} cannot be a name.", param="--name", hint="use a-z, 0-9, - and _")
    if lower in {each.lower() for each in settings.providers}:
        raise ConfigError(
            f"There is an upstream called {lower} already.",
            param="--name",
            hint=f"`iflow2api login {lower} --api-key` adds a key to it; "
            f"`iflow2api upstream remove {lower}` takes it out",
        )
    if is_known_name(lower):
        raise ConfigError(
            f"{lower} is known by its name and needs no address.",
            param="--name",
            hint=f"`iflow2api login {lower}`, or give this upstream another name",
        )
    return lower


def _tables_in_overrides(opened: Session) -> set[str]:
    text = read_text(opened.paths().overrides_file, is_required=False)
    tree = tomllib.loads(text.text) if text is not None else {}
    tables = tree.get("providers", {})
    return {name.lower() for name in tables} if isinstance(tables, dict) else set()


def _origin(name: str, overridden: set[str], written: Mapping[str, object]) -> str:
    if name in overridden:
        return "overrides"
    return "config" if name in {each.lower() for each in written} else "sign-in"
