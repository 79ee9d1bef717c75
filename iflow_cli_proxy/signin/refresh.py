"""One refresh for everybody who wants it: in this process, and across processes (RELIABILITY R12).

Knows the order that keeps a rotating refresh token from being lost: lock, read again, ask, check, write, tell. Refuses
to know when a refresh is due in the background (`signin/keeper.py`) and what answers look like (`providers/oauth.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError, LoginRequired, StateError
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, Tokens
from iflow_cli_proxy.providers.signin import OAuthClient, SignIn
from iflow_cli_proxy.signin import asking, outcome, timing
from iflow_cli_proxy.signin.holding import Held, held
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.signin.turn import Turns, Wish, sign_in_again
from iflow_cli_proxy.signin.unsaved import Unsaved
from iflow_cli_proxy.transport.base import Transport

_LOG: Final = logging.getLogger("iflow2api.refresh")

_CLOSING_S: Final = 5.0
_ANSWERING_S: Final = asking.TOKEN_LIMIT_S

Flight: TypeAlias = asyncio.Task[SavedAccount]


@dataclass(frozen=True)
class Keeping:
    """What it takes to refresh one account."""

    place: Place
    sign_in: SignIn
    transport: Transport


@dataclass(frozen=True, kw_only=True)
class _Site:
    """Where a flight works, alone."""

    place: Held
    sign_in: SignIn
    client: OAuthClient
    transport: Transport
    saved: SavedAccount
    """As it lay in the place when the lock was taken."""


def _tell_nobody(account: SavedAccount) -> None:
    """For a caller who looks at the places instead."""


class Refresher:
    """Belongs to one event loop. `on_change` gets every account that was read or written here, as it is then."""

    def __init__(
        self,
        keeping: Callable[[str], Keeping | None],
        *,
        clock: Clock,
        chance: Callable[[], float],
        entropy: Entropy,
        on_change: Callable[[SavedAccount], None] = _tell_nobody,
    ) -> None:
        self._keeping = keeping
        self._clock = clock
        self._entropy = entropy
        self._on_change = on_change
        self._flights: dict[Wish, Flight] = {}
        self._at_the_server: set[Flight] = set()
        """The flights whose refresh token may be used up by now, while its successor is still on its way."""
        self._turns = Turns(clock, chance)
        self._complaints: dict[str, type[GatewayError]] = {}
        self._unsaved = Unsaved(clock)
        self.outcomes: Counter[tuple[str, ...]] = Counter()
        """Of refreshes that were asked for here, by provider: `ok` or the kind of the error."""

    @property
    def unsaved(self) -> Mapping[str, StateError]:
        """The accounts whose newest credential is in memory only, and why."""
        return self._unsaved.errors

    @property
    def is_busy(self) -> bool:
        """Whether a refresh is under way."""
        return bool(self._flights)

    def current(self, saved: SavedAccount) -> SavedAccount:
        """An account just read from its place, with what could not be written there."""
        return self._turns.told(self._unsaved.newest(saved))

    async def refresh(self, account_id: str, *, seen: Secret | None = None, is_forced: bool = False) -> SavedAccount:
        """The account with the newest credential; at most one call is made for all who want it.

        Without more it is refreshed if its policy says so by now. `seen` is a bearer that was refused or is about to
        end: any other that still works is the answer. `is_forced` asks whatever state and pauses say. Where a provider
        gives the same key again, the bearer is still `seen`. What has begun is finished even when all callers leave: an
        answer thrown away may be a refresh token lost.

        Raises:
            LoginRequired: only a person can help.
            StateError: its place cannot be locked or read.
            GatewayError: not now.
        """
        wish = Wish(account_id, seen, is_forced)
        flight = self._flights.get(wish)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._fly(wish), name=f"refresh {account_id}")
            self._flights[wish] = flight
            flight.add_done_callback(lambda _: self._flights.pop(wish))
        return await asyncio.shield(flight)

    async def save_unsaved(self) -> None:
        """Try again to write what could not be written, where the pause since the last try is over."""
        await self._save_all(self._unsaved.to_try_again())

    async def _save_all(self, account_ids: Iterable[str]) -> None:
        for account_id in account_ids:
            try:
                keeping = self._keeping(account_id)
                if keeping is None:
                    self._unsaved.settle(account_id)
                    continue
                async with held(keeping.place) as place:
                    await self._save_again(place, account_id)
            except GatewayError as error:  # also of settings that no longer know its provider
                self._unsaved.put_off(account_id, StateError(error.message, detail=error.detail, hint=error.hint))

    async def aclose(self) -> None:
        """Let what has begun come to its end, and write what only memory holds if that can be done.

        A few seconds, but where a token endpoint was asked the time it has to answer: its answer thrown away would be a
        refresh token lost.
        """
        flights = set(self._flights.values())
        late = await _still_flying(flights, _CLOSING_S)
        awaited = late & self._at_the_server
        _cancel(late - awaited)
        _cancel(await _still_flying(awaited, _ANSWERING_S))
        await asyncio.gather(*flights, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._save_all(tuple(self.unsaved))

    # --- one flight -----------------------------------------------------------------------------------------------

    async def _fly(self, wish: Wish) -> SavedAccount:
        keeping = self._keeping(wish.account_id)
        if keeping is None or keeping.sign_in.client is None:
            raise LoginRequired("This account holds nothing that could be refreshed.")
        try:
            return await self._within_lock(keeping, keeping.sign_in.client, wish)
        except StateError as error:
            self._complain(wish.account_id, f"account {wish.account_id}", error)
            raise

    async def _within_lock(self, keeping: Keeping, client: OAuthClient, wish: Wish) -> SavedAccount:
        async with AsyncExitStack() as stack:
            try:
                place = await stack.enter_async_context(held(keeping.place))
            except StateError as error:
                return await self._without_lock(keeping, wish, error)
            saved = _there(await place.read())
            account = self._unsaved.newest(saved)
            if self._turns.is_enough(account, keeping.sign_in.policy, wish):
                self._on_change(account)
                return account
            self._turns.check(account, keeping.sign_in.policy, wish)
            site = _Site(place=place, sign_in=keeping.sign_in, client=client, transport=keeping.transport, saved=saved)
            return await self._renew(site, account)

    async def _without_lock(self, keeping: Keeping, wish: Wish, error: StateError) -> SavedAccount:
        """Whoever keeps the lock may have written what is wanted; nothing is asked or written without it (I59)."""
        account = self._unsaved.newest(_there(await asyncio.to_thread(keeping.place.read)))
        if not self._turns.is_enough(account, keeping.sign_in.policy, wish):
            raise error
        self._on_change(account)
        return account

    # --- asking ---------------------------------------------------------------------------------------------------

    async def _renew(self, site: _Site, account: SavedAccount) -> SavedAccount:
        assert account.tokens is not None
        if site.sign_in.profiles is not None and timing.is_only_profile_missing(account, now=self._clock.now()):
            try:
                return await self._complete(site, account)
            except LoginRequired:
                _LOG.debug("the access token of %s no longer gets its API key; it is refreshed", account.label)
        try:
            tokens = await self._new_tokens(site, account.tokens)
        except GatewayError as error:
            return await self._fail(site, account, error)
        return await self._succeed(site, account, tokens)

    async def _new_tokens(self, site: _Site, old: Tokens) -> Tokens:
        flights = {flight for flight in self._flights.values() if flight is asyncio.current_task()}
        self._at_the_server |= flights
        try:
            return await asking.new_tokens(site.client, site.transport, old, clock=self._clock, entropy=self._entropy)
        finally:
            self._at_the_server -= flights

    async def _succeed(self, site: _Site, account: SavedAccount, tokens: Tokens) -> SavedAccount:
        """The tokens are written before anything else is done: a crash must not lose a rotated refresh token."""
        awaits_profile = site.sign_in.profiles is not None
        account = outcome.renewed(account, tokens, now=self._clock.now(), awaits_profile=awaits_profile)
        await self._save(site, account)
        self._turns.succeeded(account, site.sign_in.policy)
        if awaits_profile:
            try:
                return await self._complete(site, account)
            except LoginRequired as error:
                return await self._go_on_without_profile(site, account, error)
        self._announce(account)
        return account

    async def _complete(self, site: _Site, account: SavedAccount) -> SavedAccount:
        """With the API key that belongs to its tokens. Raises LoginRequired when the access token is not taken."""
        assert site.sign_in.profiles is not None
        assert account.tokens is not None
        try:
            profile = await asking.profile_of(account.provider, site.sign_in.profiles, site.transport, account.tokens)
        except LoginRequired:
            raise
        except GatewayError as error:
            return await self._go_on_without_profile(site, account, error)
        account = outcome.completed(account, profile, now=self._clock.now())
        self._turns.succeeded(account, site.sign_in.policy)
        await self._save(site, account)
        self._announce(account)
        return account

    async def _go_on_without_profile(self, site: _Site, account: SavedAccount, error: GatewayError) -> SavedAccount:
        """The new tokens are good; the key from before goes on, and the new one is asked for later."""
        self.outcomes[account.provider, error.kind] += 1
        account = outcome.without_profile(account, error, now=self._clock.now())
        self._turns.failed(account, site.sign_in.policy, error, is_over=False)
        self._complain(account.id, _named(account), error, account.last_error)
        await self._save(site, account)
        self._on_change(account)
        return account

    async def _fail(self, site: _Site, account: SavedAccount, error: GatewayError) -> SavedAccount:
        """Note it and raise, unless a program that does not know our lock was quicker: its tokens must stay (R12)."""
        newer = await self._rotated_by_others(site)
        if newer is not None:
            self._on_change(newer)
            return newer
        self.outcomes[account.provider, error.kind] += 1
        noted = outcome.failed(account, error, site.sign_in.policy, now=self._clock.now())
        self._turns.failed(noted, site.sign_in.policy, error, is_over=outcome.is_permanent(error))
        self._complain(noted.id, _named(noted), error, noted.last_error)
        await self._save(site, noted)
        self._on_change(noted)
        if isinstance(error, LoginRequired) or noted.state is not AccountState.NEEDS_LOGIN:
            raise error
        raise LoginRequired(noted.last_error, hint=sign_in_again(noted)) from error

    async def _rotated_by_others(self, site: _Site) -> SavedAccount | None:
        try:
            saved = await site.place.read()
        except StateError:
            return None  # a place that can no longer be read holds nothing better
        is_newer = saved is not None and saved.tokens is not None and saved.tokens != site.saved.tokens
        return saved if is_newer else None

    # --- writing and telling --------------------------------------------------------------------------------------

    async def _save(self, site: _Site, account: SavedAccount) -> None:
        try:
            await site.place.write(account)
        except StateError as error:
            if (account.tokens, account.api_key) == (site.saved.tokens, site.saved.api_key):
                _LOG.debug("how %s fares could not be noted: %s", account.label, error.message)
            elif self._unsaved.keep(account, site.saved.tokens, error):
                _LOG.error("the new sign-in of %s is in memory only: %s", _named(account), error.message)
        else:
            self._tell_saved(account, self._unsaved.settle(account.id))

    async def _save_again(self, place: Held, account_id: str) -> None:
        saved = await place.read()
        account = self._unsaved.newest(saved) if saved is not None else None
        if account is not None and account is not saved:
            await place.write(account)
            self._tell_saved(account, is_news=True)
        self._unsaved.settle(account_id)

    @staticmethod
    def _tell_saved(account: SavedAccount, is_news: bool) -> None:
        if is_news:
            _LOG.info("the new sign-in of %s is saved at last", _named(account))

    def _announce(self, account: SavedAccount) -> None:
        self.outcomes[account.provider, "ok"] += 1
        self._complaints.pop(account.id, None)
        _LOG.info("refreshed %s, %s", _named(account), _validity(account))
        self._on_change(account)

    def _complain(self, account_id: str, name: str, error: GatewayError, message: str = "") -> None:
        """One line for each kind of failure in a row."""
        if self._complaints.get(account_id) is not type(error):
            self._complaints[account_id] = type(error)
            _LOG.warning("refreshing %s: %s", name, message or error.message)


async def _still_flying(flights: set[Flight], within_s: float) -> set[Flight]:
    """Those that have not come to their end by then."""
    return (await asyncio.wait(flights, timeout=within_s))[1] if flights else set()


def _cancel(flights: set[Flight]) -> None:
    for flight in flights:
        flight.cancel()


def _there(saved: SavedAccount | None) -> SavedAccount:
    if saved is None:
        raise StateError("The account is gone.", hint="see what there is with iflow2api token list")
    return saved


def _named(account: SavedAccount) -> str:
    return f"{account.provider} account {account.label}"


def _validity(account: SavedAccount) -> str:
    expires_at = account.tokens.expires_at if account.tokens else None
    if expires_at is None:
        return "valid until the server says otherwise"
    return f"valid until {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M} UTC"
