"""The one place where interfaces meet implementations.

`Services` holds everything a server or a command works with, built from one tree of settings. A change of settings
builds a new gateway and swaps it; connections, accounts in use and what upstreams listed carry over.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.schema import ProviderSettings, Settings
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.ids import Entropy, buffered, request_id
from iflow_cli_proxy.core.room import Room
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.counting import TokenScale
from iflow_cli_proxy.gateway.describing import Describer
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.retry import RetryBudget
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.gateway.vision import VisionBridge
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.providers import build_provider, sign_in_files
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.state.ledger import Ledger
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.state.profiles import load_profiles
from iflow_cli_proxy.transport.guard import GuardedFetch
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount
from iflow_cli_proxy.wiring.pricing import all_prices
from iflow_cli_proxy.wiring.renewing import PoolRenewal
from iflow_cli_proxy.wiring.resting import LongRests
from iflow_cli_proxy.wiring.rules import (
    gateway_rules,
    json_limits,
    ledger_rules,
    pool_rules,
    routing_table,
    stream_limits,
)
from iflow_cli_proxy.wiring.transports import Transports
from iflow_cli_proxy.wiring.upstream_lists import UpstreamLists


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
        chance: Callable[[], float] | None = None,
    ) -> None:
        """`chance` is uniform in [0, 1) and spreads pauses and rests."""
        self.settings = settings
        self.clock = clock or SystemClock()
        self.entropy = buffered(entropy)
        self._chance = chance or random.SystemRandom().random
        self.pool = AccountPool(chance=self._chance)
        self.turnstile = Turnstile(self.pool, now=self.clock.monotonic)
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
        self.ledger = Ledger(paths.ledger_file, ledger_rules(settings.current), clock=self.clock)
        self.prices = Live(all_prices(paths))
        self._budget = RetryBudget()
        self._scale = TokenScale()
        self._room = Room()
        self.on_own_exchange: Callable[[Exchange], None] = lambda exchange: None
        """Told of what the gateway asked for itself (descriptions of images) when it has ended, for the ledger."""
        self._described_by: VisionBridge | None = None
        self._lists = UpstreamLists(self.pool, self.renewal)
        self._built: dict[str, tuple[object, Provider]] = {}
        """Providers by name, each with what it was made of."""
        self._wired_from: tuple[KnownAccount, ...] = ()
        self._profiles = load_profiles(paths.profiles_dir)
        self.wired = self._wire(settings.current, self.accounts.known())
        self.gateway = Live(self.wired.gateway)
        self.rests = LongRests(self.accounts, self.pool, on_reset=self.turnstile.let_in)
        self.rests.take_up()
        self.accounts.listeners.append(self._take_up_account)
        settings.subscribe(self._apply)

    def outside_files(self) -> tuple[Path, ...]:
        """Files that hold no settings but belong to what is wired: model data, prices, profiles of upstreams, and the
        sign-ins of other programs.

        Looks into folders, so it is for a thread.
        """
        models, profiles = self._paths.models_dir, self._paths.profiles_dir
        own = (
            self._paths.prices_file,
            models,
            *sorted(models.glob("*.toml")),
            profiles,
            *sorted(profiles.glob("*.json")),
        )
        return (*own, *sign_in_files(self._environ, self._home, sys.platform, self.accounts.around.list_names))

    async def list_upstream_models(self) -> dict[str, GatewayError | None]:
        """Ask every upstream for its list and merge what comes; by provider, what went wrong or None."""
        async with self.transports.are_used:
            outcome = await self._lists.ask(self.wired.gateway.upstreams)
        if None in outcome.values():
            self.wire_again()  # catalogues belong to a gateway and do not change under it
        return outcome

    @property
    def ledger_file(self) -> Path:
        return self._paths.ledger_file

    @property
    def keys_file(self) -> Path:
        """Where client keys are kept."""
        return self._paths.keys_file

    @property
    def admin_file(self) -> Path:
        """Where the hash of the admin page's password is kept."""
        return self._paths.admin_file

    def wire_again(self) -> None:
        """Build a new gateway around what is known now, under the same settings. Reads nothing."""
        self._put_in_force(self.settings.current, self.accounts.last_known())

    async def reset_account(self, account_id: str) -> bool:
        """Clear by hand what keeps an account out, here and in its file; False when there is no such account.

        One that a person has switched off stays off.

        Raises:
            StateError: its file cannot be changed; nothing is cleared then.
        """
        known = self.accounts.last(account_id)
        if known is None:
            return False
        if known.is_ours:
            await self.rests.clear(account_id)
        self.renewal.forgive(account_id)
        self.pool.reset(account_id)
        self.wire_again()  # it may have been out of the pool; whoever waits is let in
        return True

    async def look_again(self) -> None:
        """Read the accounts again, off the loop; a new gateway is built when more than their counts has changed.

        Raises:
            StateError: they cannot be read; nothing has changed.
        """
        known = await self.accounts.read_again()
        if not _are_alike(known, self._wired_from):
            self._put_in_force(self.settings.current, known)

    async def aclose(self) -> None:
        await self.accounts.aclose()

    def _apply(self, settings: Settings) -> None:
        self.ledger.rules = ledger_rules(settings)
        self.prices.replace(all_prices(self._paths))
        self.accounts.take_up(settings)
        self._profiles = load_profiles(self._paths.profiles_dir)
        self._put_in_force(settings, self.accounts.known())

    def _put_in_force(self, settings: Settings, known: Sequence[KnownAccount]) -> None:
        self.wired = self._wire(settings, known)
        self.transports.set_aside_all_but(upstream.transport for upstream in self.wired.gateway.upstreams.values())
        self.gateway.replace(self.wired.gateway)

    def _take_up_account(self, saved: SavedAccount) -> None:
        """A refresh has brought a newer credential, or has found that only a person can."""
        known = self.accounts.last(saved.id)
        account = self.renewal.usable(known) if known is not None else None
        standing = next((one for one in self.pool.standings() if one.account.id == saved.id), None)
        if account is not None and standing is not None:
            self.pool.renew(replace(account, concurrency=standing.account.concurrency))
        elif account is not None or standing is not None:
            self.wire_again()

    def _wire(self, settings: Settings, known: Sequence[KnownAccount]) -> Wired:
        tables = self.accounts.tables(one.saved.provider for one in known if one.is_ours)
        upstreams: dict[str, Upstream] = {}
        accounts: list[Account] = []
        for name, table in tables.items():
            of_this = [one for one in known if one.saved.provider == name]
            if name not in {written.lower() for written in settings.providers} and not of_this:
                continue  # iFlow, which is looked for although nobody named it
            provider = self._provider(name, replace(table, base_url=self._address(of_this, table)))
            usable = [
                account
                for one in of_this
                if (account := self.renewal.usable(one, default_concurrency=provider.default_concurrency)) is not None
            ]
            accounts += usable
            rests_until = 0.0 if usable else min(filter(None, map(self.renewal.rests_until, of_this)), default=0.0)
            upstreams[name] = Upstream(
                provider=provider,
                transport=self.transports.of(table),
                stream_limits=stream_limits(table),
                json_limits=json_limits(table),
                probed=self._profiles.get(name),
                needs_login=not usable and not rests_until and any(map(_is_on, of_this)),
                rests_until=rests_until,
            )
        self._wired_from = tuple(known)
        self.pool.rules = pool_rules(settings, accounts)
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
            chance=self._chance,
            renewal=self.renewal,
            fetch=GuardedFetch(room=self._room) if settings.conveniences.fetch_images else None,
            room=self._room,
            bridge=self._bridge(settings.conveniences.vision_model),
            scale=self._scale,
        )
        return Wired(
            settings=settings,
            providers={name: tables[name] for name in upstreams},
            gateway=gateway,
            accounts=tuple(accounts),
            findings=self.accounts.findings,
        )

    def _address(self, of_this: Sequence[KnownAccount], table: ProviderSettings) -> str:
        """Where a provider's API begins for accounts that do not say.

        Keys that all lead elsewhere make it another's service, which the provider must know. A key without an address
        never goes to that of another account, and where a sign-in leads by itself is not thereby trusted.
        """
        accounts = [self.accounts.as_account(one) for one in of_this]
        leads_elsewhere = bool(accounts) and all(one.base_url and not one.is_oauth for one in accounts)
        return accounts[0].base_url if leads_elsewhere else table.base_url

    def _bridge(self, model: str) -> VisionBridge | None:
        """The one there is while its model stays the same, so that images are described once."""
        if not model:
            return None
        if self._described_by is None or self._described_by.model != model:
            describer = Describer(
                model,
                ask=lambda inbound, exchange: self.gateway.current.answer(inbound, exchange),
                codec=CODECS["openai_chat"],
                clock=self.clock,
                new_id=lambda: request_id(self.entropy),
                on_end=lambda exchange: self.on_own_exchange(exchange),
            )
            self._described_by = VisionBridge(model, describer)
        return self._described_by

    def _provider(self, name: str, table: ProviderSettings) -> Provider:
        """The one there is while its settings stay the same, so that its sessions upstream go on."""
        around = self.accounts.around
        made_of = (table, around.thinking, around.model_files)
        known = self._built.get(name)
        if known is None or known[0] != made_of:
            known = self._built[name] = (made_of, build_provider(name, table, around))
        known[1].catalog.merge_remote(self._lists.of(name))
        return known[1]


def _is_on(one: KnownAccount) -> bool:
    return one.saved.state is not AccountState.DISABLED


def _are_alike(known: Sequence[KnownAccount], others: Sequence[KnownAccount]) -> bool:
    """Whether two readings differ in nothing but in how often accounts were used."""
    return [*map(_without_counts, known)] == [*map(_without_counts, others)]


def _without_counts(one: KnownAccount) -> KnownAccount:
    saved = replace(one.saved, request_count=0, last_used_at=None, updated_at=0.0)
    return replace(one, saved=saved, place=None)
