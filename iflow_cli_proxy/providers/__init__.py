"""The providers there are: what a `[providers.NAME]` table becomes, and which accounts belong to it.

PROVIDERS registers kinds with behaviour; every preset is a kind of its own without any code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers import oauth_table
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.providers.configured import configured
from iflow_cli_proxy.providers.discovery import Discovery, Finding, Lister, Reader
from iflow_cli_proxy.providers.iflow import credentials as iflow_credentials
from iflow_cli_proxy.providers.iflow import oauth as iflow_oauth
from iflow_cli_proxy.providers.iflow.catalog import load_catalog as load_iflow_catalog
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.providers.iflow.thinking import Default
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from iflow_cli_proxy.providers.presets import Preset, presets
from iflow_cli_proxy.providers.qwen import credentials as qwen_credentials
from iflow_cli_proxy.providers.qwen import oauth as qwen_oauth
from iflow_cli_proxy.providers.qwen.catalog import load_catalog as load_qwen_catalog
from iflow_cli_proxy.providers.qwen.provider import QwenProvider
from iflow_cli_proxy.providers.signin import SignIn
from iflow_cli_proxy.routing.catalog import Catalog, Model

IFLOW: Final = "iflow"
QWEN: Final = "qwen"
OPENAI_COMPATIBLE: Final = "openai_compatible"

_QWEN_KEY: Final = Preset(key_variables=("QWEN_API_KEY",))
"""DASHSCOPE_API_KEY is for the preset of that name."""


def _nothing(folder: Path) -> Iterable[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What providers are given of the world."""

    clock: Clock
    entropy: Entropy
    environ: Mapping[str, str]
    read: Reader
    home: Path | None = None
    platform: str = "linux"
    """`sys.platform`."""
    machine: str = "x86_64"
    """`platform.machine()`."""
    list_names: Lister = _nothing
    thinking: Default = "auto"
    model_files: Mapping[str, str] = field(default_factory=dict)
    """The person's own model data by provider kind: the text of `models/KIND.toml` in the config directory."""


Factory = Callable[[str, ProviderSettings, Surroundings], Provider]
Finder = Callable[[str, ProviderSettings, Surroundings], Discovery]
SignInMaker = Callable[[str, ProviderSettings, Surroundings], SignIn]


@dataclass(frozen=True, kw_only=True)
class Kind:
    build: Factory
    find_accounts: Finder
    sign_in: SignInMaker


def build_provider(name: str, settings: ProviderSettings, around: Surroundings) -> Provider:
    """The provider of one table. Raises ConfigError when its kind or base URL is missing or unknown."""
    return _kind(name, settings).build(name, settings, around)


def find_accounts(name: str, settings: ProviderSettings, around: Surroundings) -> Discovery:
    """The accounts one table needs no sign-in for: keys in it, in the environment, in the files of other programs."""
    return _kind(name, settings).find_accounts(name, settings, around)


def sign_in_of(name: str, settings: ProviderSettings, around: Surroundings) -> SignIn:
    """How people sign in there. Raises ConfigError when the `oauth` table of its settings is not complete."""
    return _kind(name, settings).sign_in(name, settings, around)


def is_known_name(name: str) -> bool:
    """Whether a provider of this name needs no table: a kind with behaviour, or a preset."""
    return name in presets() or (name in PROVIDERS and name != OPENAI_COMPATIBLE)


def known_names() -> tuple[str, ...]:
    """Every such name, kinds with behaviour first."""
    return tuple(name for name in (*PROVIDERS, *presets()) if is_known_name(name))


def sign_in_files(environ: Mapping[str, str], home: Path | None, platform: str, list_names: Lister) -> tuple[Path, ...]:
    """The files of other programs that accounts are found in, whether they are there or not."""
    return (*iflow_credentials.files(environ, home, platform=platform), *qwen_credentials.files(home, list_names))


def preferred_label(environ: Mapping[str, str]) -> str:
    """The label of the account that is the first choice; empty when nobody named one."""
    return qwen_credentials.preferred_label(environ)


def kind_of(name: str, settings: ProviderSettings) -> str:
    """The kind of a table: stated, else its name if that is a kind, else any URL and key."""
    if settings.kind:
        return settings.kind
    return name if name in PROVIDERS or name in presets() else OPENAI_COMPATIBLE


def _kind(name: str, settings: ProviderSettings) -> Kind:
    kind = kind_of(name, settings)
    if kind in presets():
        return PROVIDERS[OPENAI_COMPATIBLE]
    if kind not in PROVIDERS:
        known = [*PROVIDERS, *presets()]
        near = get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise ConfigError(f"There is no provider kind {kind!r}.", param=f"providers.{name}.kind", hint=hint)
    return PROVIDERS[kind]


# --- building -----------------------------------------------------------------------------------------------------


def _build_iflow(name: str, settings: ProviderSettings, around: Surroundings) -> Provider:
    catalog = load_iflow_catalog(around.model_files.get(IFLOW, ""))
    return IflowProvider(
        name, _with_named(catalog, settings), header_set=settings.header_set, **_for_vendor(settings, around)
    )


def _build_qwen(name: str, settings: ProviderSettings, around: Surroundings) -> Provider:
    catalog = load_qwen_catalog(around.model_files.get(QWEN, ""))
    return QwenProvider(
        name,
        _with_named(catalog, settings),
        platform=around.platform,
        machine=around.machine,
        **_for_vendor(settings, around),
    )


def _for_vendor(settings: ProviderSettings, around: Surroundings) -> dict[str, Any]:
    """What a vendor's provider is built with, whichever vendor it is."""
    return {
        "clock": around.clock,
        "entropy": around.entropy,
        "base_url": settings.base_url,
        "extra_headers": settings.extra_headers,
        "default_thinking": around.thinking,
    }


def _build_openai_compatible(name: str, settings: ProviderSettings, around: Surroundings) -> Provider:
    preset = presets().get(kind_of(name, settings), Preset())
    base_url = settings.base_url or preset.base_url
    if not base_url:
        raise ConfigError(
            f"The provider {name!r} has no base_url.",
            param=f"providers.{name}.base_url",
            hint=f'write base_url = "https://..." under [providers.{name}]',
        )
    catalog = _with_named(Catalog(), settings)
    return OpenAICompatible(
        name, base_url, catalog, clock=around.clock, preset=preset, extra_headers=settings.extra_headers
    )


def _with_named(catalog: Catalog, settings: ProviderSettings) -> Catalog:
    """And the models a table names, without touching what is known about them already."""
    catalog.merge_remote(Model(id=model) for model in settings.models)
    return catalog


# --- finding ------------------------------------------------------------------------------------------------------


def _find_iflow(name: str, settings: ProviderSettings, around: Surroundings) -> Discovery:
    discover = partial(
        iflow_credentials.discover, around.environ, around.home, around.read, provider=name, platform=around.platform
    )
    found = configured(name, settings, Preset(), around.environ, default_concurrency=1)
    return _find_vendors(found, settings, discover)


def _find_qwen(name: str, settings: ProviderSettings, around: Surroundings) -> Discovery:
    discover = partial(
        qwen_credentials.discover,
        around.environ,
        around.home,
        around.read,
        around.list_names,
        provider=name,
        configured=settings.base_url,
    )
    return _find_vendors(configured(name, settings, _QWEN_KEY, around.environ), settings, discover)


def _find_vendors(found: Discovery, settings: ProviderSettings, discover: Callable[[], Discovery]) -> Discovery:
    """`found` is what the settings hold; only where that is nothing the vendor's own program is asked."""
    if found.accounts:
        return found
    vendors = discover()
    return replace(
        vendors,
        accounts=tuple(_limited(account, settings) for account in vendors.accounts),
        spare=tuple(_limited(account, settings) for account in vendors.spare),
        findings=(*found.findings, *vendors.findings),
    )


def _limited(account: Account, settings: ProviderSettings) -> Account:
    return replace(account, concurrency=settings.concurrency) if settings.concurrency else account


def _find_openai_compatible(name: str, settings: ProviderSettings, around: Surroundings) -> Discovery:
    kind = kind_of(name, settings)
    preset = presets().get(kind, Preset())
    found = configured(name, settings, preset, around.environ)
    needs_key = kind in presets() and not preset.is_local and not settings.base_url
    if found.accounts:
        return found
    if needs_key:
        variable = settings.api_key_env or preset.key_variables[0]
        finding = Finding(where=variable, problem=f"{name} has no API key", hint=f"set {variable}")
        return Discovery(findings=(*found.findings, finding))
    if settings.oauth != OAuthSettings():
        finding = Finding(where=f"providers.{name}", problem="nobody has signed in yet", hint=f"iflow2api login {name}")
        return Discovery(findings=(*found.findings, finding))
    keyless = Account(id=name, provider=name, label=name, concurrency=settings.concurrency, origin="no key")
    return Discovery(accounts=(keyless,), findings=found.findings)


# --- the registry -------------------------------------------------------------------------------------------------

PROVIDERS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        IFLOW: Kind(
            build=_build_iflow,
            find_accounts=_find_iflow,
            sign_in=lambda name, of, around: iflow_oauth.sign_in(name, of, around.environ, now=around.clock.now()),
        ),
        QWEN: Kind(
            build=_build_qwen,
            find_accounts=_find_qwen,
            sign_in=lambda name, of, around: qwen_oauth.sign_in(name, of, around.environ, now=around.clock.now()),
        ),
        OPENAI_COMPATIBLE: Kind(
            build=_build_openai_compatible,
            find_accounts=_find_openai_compatible,
            sign_in=lambda name, of, around: oauth_table.sign_in(name, of, around.environ),
        ),
    }
)
