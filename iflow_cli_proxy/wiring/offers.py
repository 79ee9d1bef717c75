"""What people can sign in to or give a key for, with what they should know before: for forms and lists of choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.secret import mask_url
from iflow_cli_proxy.providers import IFLOW, QWEN, kind_of
from iflow_cli_proxy.providers.presets import Preset, presets
from iflow_cli_proxy.wiring.accounts import Accounts

_TITLES: Final = {IFLOW: "iFlow", QWEN: "Qwen"}
_UNKNOWN: Final = Preset()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One provider. `methods` are those of `providers/signin.py`, the most comfortable first."""

    name: str
    title: str
    base_url: str
    """Empty for a vendor's own."""
    is_enabled: bool
    is_written: bool
    """It has a table in the configuration."""
    methods: tuple[str, ...]
    notice: str
    key_page: str


def offers(accounts: Accounts, written: Iterable[str]) -> Iterator[Offer]:
    """Every provider that can be named; `written` are the tables of the configuration."""
    tables = {name.lower() for name in written}
    for name in dict.fromkeys((*accounts.provider_names, *tables)):
        yield _offer(accounts, name, is_written=name in tables)


def _offer(accounts: Accounts, name: str, *, is_written: bool) -> Offer:
    table = accounts.table(name)
    kind = kind_of(name, table)
    preset = presets().get(kind, _UNKNOWN)
    try:
        sign_in = accounts.sign_in(name)
        methods, notice, key_page = tuple(one.value for one in sign_in.methods), sign_in.notice, sign_in.key_page
    except GatewayError as error:  # its table is not complete, and whoever would sign in is told
        methods, notice, key_page = (), error.message, ""
    return Offer(
        name=name,
        title=_title(name, kind, preset),
        base_url=mask_url(_address(table, preset)),
        is_enabled=table.enabled,
        is_written=is_written,
        methods=methods,
        notice=notice,
        key_page=key_page,
    )


def _title(name: str, kind: str, preset: Preset) -> str:
    """The service's own name; that of its table where a person has chosen another one."""
    known = _TITLES.get(kind) or preset.title
    return known if known and name == kind else f"{name} ({known})" if known else name


def _address(table: ProviderSettings, preset: Preset) -> str:
    return table.base_url or preset.base_url
