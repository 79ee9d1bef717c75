"""Everything about the accounts of this person, without serving: for `login`, `token`, `doctor` and `Services`.

Knows the three kinds there are: ours (in the store), sign-ins of other programs (used where they lie) and keys of the
configuration. Refuses to know who is called with them.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from iflow_cli_proxy.config.schema import ProviderSettings, Settings
from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.probe import probe
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers import (
    Surroundings,
    build_provider,
    find_accounts,
    is_known_name,
    known_names,
    preferred_label,
    sign_in_of,
)
from iflow_cli_proxy.providers.discovery import Finding, LiveSignIn
from iflow_cli_proxy.providers.model_list import parse_models
from iflow_cli_proxy.providers.presets import presets
from iflow_cli_proxy.providers.signin import RefreshPolicy, SignIn
from iflow_cli_proxy.signin.refresh import Keeping, Refresher
from iflow_cli_proxy.state.accounts import AccountStore, DamagedFile
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.state.vault import open_seal
from iflow_cli_proxy.transport.base import Transport
from iflow_cli_proxy.wiring.known import KnownAccount, accounts_in, is_among, left_out, taken
from iflow_cli_proxy.wiring.live_place import LivePlace
from iflow_cli_proxy.wiring.surroundings import default_table, enabled_tables, surroundings
from iflow_cli_proxy.wiring.transports import Transports

__all__ = ["Accounts", "KnownAccount", "Verdict"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one cheap call said about an account."""

    error: GatewayError | None
    models: int | None
    """How many the upstream lists; None when it lists none to anybody."""
    took_s: float


class Accounts:
    """Belongs to one event loop where it calls anybody; `aclose()` it there. Building it reads files and may block.

    With `opens_secrets=False` encrypted accounts are known without their secrets, and nobody is asked for a passphrase:
    for listings, which must not save.

    Raises:
        StateError: credentials are encrypted, and what opens them is not there.
    """

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        environ: Mapping[str, str],
        *,
        clock: Clock | None = None,
        entropy: Entropy = os.urandom,
        home: Path | None = None,
        transports: Transports | None = None,
        ask: Callable[[str], str] | None = None,
        opens_secrets: bool = True,
    ) -> None:
        self.clock = clock or SystemClock()
        self.entropy = entropy
        self.transports = transports or Transports()
        self.findings: tuple[Finding, ...] = ()
        """What was wrong on the way to `known`, damaged files of ours included."""
        self.listeners: list[Callable[[SavedAccount], None]] = []
        """Told of every account that a refresh has changed."""
        self._settings = settings
        self._paths = paths
        self._environ = environ
        self._home = home or Path.home()
        self.around = self._surroundings(settings)
        self._opens_secrets = opens_secrets
        self.store = self._open_store(settings.security.encrypt, ask)
        self.refresher = Refresher(
            self._keeping, clock=self.clock, chance=random.SystemRandom().random, entropy=entropy, on_change=self._tell
        )
        self._known: dict[str, KnownAccount] = {}
        self._changes = 0
        """Of what is known, by anything but reading it."""

    def take_up(self, settings: Settings) -> None:
        """Go by other settings from now on. Raises ConfigError, and then goes by the old ones."""
        self.around = self._surroundings(settings)
        self._settings = settings
        self._changes += 1

    def _open_store(self, encrypt: str, ask: Callable[[str], str] | None) -> AccountStore:
        folder = self._paths.accounts_dir
        if not self._opens_secrets:
            return AccountStore(folder, clock=self.clock)
        return AccountStore(
            folder,
            seal=open_seal(encrypt, folder, self._environ, ask),
            find_seal=lambda kind: open_seal(kind, folder, self._environ, ask),
            clock=self.clock,
        )

    # --- what there is ---------------------------------------------------------------------------------------------

    def known(self) -> tuple[KnownAccount, ...]:
        """Read again now: ours first, then sign-ins of other programs, then keys of configuration and environment."""
        loaded = self.store.load()
        closed = [] if self._opens_secrets else [file for file in loaded.damaged if file.account is not None]
        findings = [
            Finding(where=str(file.path), problem=file.problem, hint=file.hint or "iflow2api doctor --fix")
            for file in loaded.damaged
            if file not in closed
        ]
        newest = map(self.refresher.current, loaded.accounts)  # a disk that is full has kept older ones
        ours = [KnownAccount(saved=saved, place=self.store.place(saved.id), is_ours=True) for saved in newest]
        ours += (KnownAccount(saved=file.account, is_ours=True, is_sealed=True) for file in closed if file.account)
        ours += (one for file in loaded.damaged if (one := self._as_last_opened(file)) is not None)
        everyone = {one.saved.id: one for one in ours}
        tables = self.tables(one.saved.provider for one in ours)
        findings += left_out(ours, {*tables, *(name.lower() for name in self._settings.providers)})
        for name, table in tables.items():
            found = find_accounts(name, table, self.around)
            mine = [one.saved for one in ours if one.saved.provider == name]
            findings += () if mine else found.findings
            for one in accounts_in(found, self._live_place):
                if is_among(one, mine):
                    continue
                if (other := everyone.get(one.saved.id)) is not None:
                    findings.append(taken(one, other))
                else:
                    everyone[one.saved.id] = replace(one, saved=self.refresher.current(one.saved))
        self.findings = tuple(findings)
        self._known = everyone
        return tuple(everyone.values())

    def _as_last_opened(self, file: DamagedFile) -> KnownAccount | None:
        """A file that was sealed beside us, with the secrets it had: they serve until we are started with its key."""
        was = self._known.get(file.account.id) if file.account is not None and self._opens_secrets else None
        if was is None or file.account is None or not was.saved.bearer:
            return None
        return replace(was, saved=replace(file.account, api_key=was.saved.api_key, tokens=was.saved.tokens))

    async def read_again(self) -> tuple[KnownAccount, ...]:
        """`known`, read in a thread; what a refresh changed meanwhile is not lost by it."""
        while True:
            changes = self._changes
            known = await asyncio.to_thread(self.known)
            if changes == self._changes:
                return known

    def last(self, account_id: str) -> KnownAccount | None:
        """As it was last read or refreshed; touches no disk."""
        return self._known.get(account_id)

    def last_known(self) -> tuple[KnownAccount, ...]:
        """Everyone, as they were last read or refreshed; touches no disk."""
        return tuple(self._known.values())

    def note(self, account: SavedAccount) -> None:
        """What has just been read or written is known from now on; listeners are not told."""
        known = self._known.get(account.id)
        if known is not None:
            self._changes += 1
            self._known[account.id] = replace(known, saved=self.refresher.current(account))

    def find(self, account_id: str) -> KnownAccount | None:
        """As `known` last read it, or reads again when it did not see that account."""
        if account_id not in self._known:
            self.known()
        return self._known.get(account_id)

    def kept_fresh(self) -> Iterator[tuple[SavedAccount, RefreshPolicy]]:
        """What a keeper looks after, as it was last read: nobody is asked about providers that are not in force."""
        everyone = self.last_known()
        tables = self.tables(one.saved.provider for one in everyone)
        for one in everyone:
            if one.place is not None and one.is_kept_fresh and one.saved.provider in tables:
                yield one.saved, self.policy(one.saved.provider)

    def _live_place(self, live: LiveSignIn) -> LivePlace:
        return LivePlace(live, self._paths.accounts_dir, self.clock)

    # --- providers -------------------------------------------------------------------------------------------------

    @property
    def provider_names(self) -> tuple[str, ...]:
        """What can be signed in to: kinds with behaviour, the enabled tables, and presets that need a key."""
        needs_key = (name for name in known_names() if name not in presets() or not presets()[name].is_local)
        return tuple(dict.fromkeys((*needs_key, *self.tables())))

    def tables(self, signed_in: Iterable[str] = ()) -> dict[str, ProviderSettings]:
        """The provider tables in force; `signed_in` names providers that accounts are kept for."""
        return enabled_tables(self._settings, signed_in)

    def table(self, provider: str) -> ProviderSettings:
        """Raises ConfigError, with the nearest name, for a provider nobody knows."""
        name = provider.lower()
        written = {key.lower(): table for key, table in self._settings.providers.items()}
        if name in written:
            return written[name]
        if is_known_name(name):
            return default_table(self._settings)
        near = get_close_matches(name, self.provider_names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self.provider_names)}"
        raise ConfigError(f"There is no provider called {provider!r}.", hint=hint)

    def sign_in(self, provider: str) -> SignIn:
        """Raises ConfigError for a provider nobody knows, or whose `oauth` table is not complete."""
        return sign_in_of(provider.lower(), self.table(provider), self.around)

    def policy(self, provider: str) -> RefreshPolicy:
        try:
            return self.sign_in(provider).policy
        except ConfigError:
            return RefreshPolicy()  # its table was taken away; what it left behind is still shown

    def transport(self, provider: str) -> Transport:
        return self.transports.of(self.table(provider))

    # --- using them ------------------------------------------------------------------------------------------------

    def as_account(self, known: KnownAccount, *, default_concurrency: int = 0) -> Account:
        """The account as requests use it from this moment on."""
        saved = known.saved
        table, preferred = self.table(saved.provider), preferred_label(self._environ)
        return Account(
            id=saved.id,
            provider=saved.provider,
            label=saved.label,
            api_key=saved.bearer,
            base_url=saved.base_url or (saved.tokens.base_url if saved.tokens else ""),
            concurrency=saved.concurrency
            if saved.concurrency is not None
            else table.concurrency or known.concurrency or default_concurrency,
            rpm=table.rpm,
            tpm=table.tpm,
            origin=known.origin or "a sign-in",
            fresh_until=self._fresh_until(saved),
            is_oauth=not saved.api_key and saved.tokens is not None,
            is_preferred=bool(preferred) and saved.label == preferred,
        )

    def _fresh_until(self, saved: SavedAccount) -> float:
        """In monotonic seconds, so that a clock that jumps makes nobody wait for a refresh (RELIABILITY F57)."""
        hard_ahead_s = self.policy(saved.provider).hard_ahead_s
        if not hard_ahead_s or not saved.can_refresh_later:
            return float("inf")
        lasts_s = saved.bearer_expires_at - self.clock.now()
        return self.clock.monotonic() + lasts_s - min(hard_ahead_s, max(0.0, lasts_s) / 2)

    async def verify(self, account: SavedAccount) -> Verdict:
        """Ask its upstream something cheap."""
        started_at = self.clock.monotonic()
        known = self._known.get(account.id)
        one = replace(known, saved=account) if known else KnownAccount(saved=account)
        models: int | None = None
        failure: GatewayError | None = None
        try:
            listed = await probe(self._upstream(account), self.as_account(one))
            models = len(parse_models(listed)) if listed is not None else None
        except GatewayError as error:
            failure = error
        return Verdict(error=failure, models=models, took_s=self.clock.monotonic() - started_at)

    async def aclose(self) -> None:
        """Let refreshes end that have begun, then close every connection."""
        await self.refresher.aclose()
        await self.transports.aclose()

    def _upstream(self, account: SavedAccount) -> Upstream:
        table = self.table(account.provider)
        at = replace(table, base_url=account.base_url or table.base_url)
        provider = build_provider(account.provider, at, self.around)
        return Upstream(provider=provider, transport=self.transports.of(table))

    def _keeping(self, account_id: str) -> Keeping | None:
        known = self.find(account_id)
        if known is None or known.place is None:
            return None
        provider = known.saved.provider
        return Keeping(place=known.place, sign_in=self.sign_in(provider), transport=self.transport(provider))

    def _tell(self, account: SavedAccount) -> None:
        self.note(account)
        for listener in self.listeners:
            listener(account)

    def _surroundings(self, settings: Settings) -> Surroundings:
        return surroundings(
            settings, self._paths, self._environ, clock=self.clock, entropy=self.entropy, home=self._home
        )
