"""The gateway's renewal port over the accounts of this person: refreshed, re-read, or given another key of the same
sign-in; and what becomes of an account that nothing helps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from iflow_cli_proxy.core.errors import Blocked, CredentialError, GatewayError, Overloaded, Revoked
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.signin import outcome, timing
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount

_LOG: Final = logging.getLogger("iflow2api.accounts")
_REST_S: Final = 30.0
"""How long an account rests whose bearer was refused while nobody could renew it."""
_LONGEST_REST_S: Final = 300.0
_ASK_AGAIN_S: Final = 5.0
"""How long nobody waits again for a refresh ahead of time that has just failed."""


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """That an upstream did not take a key."""

    error: GatewayError
    access_token: Secret
    """Of the sign-in that the key belonged to: after a new sign-in even the same key is worth a try."""
    until: float = inf
    """Monotonic; `inf` when only a person can help."""


class PoolRenewal:
    """Remembers which keys were refused, so that nobody is called with them; `save_refusals` writes it down.

    What is written down is forgotten here: from then on the file says whether the account is refused.
    """

    def __init__(self, accounts: Accounts, pool: AccountPool, on_refused: Callable[[], None]) -> None:
        self._accounts = accounts
        self._pool = pool
        self._on_refused = on_refused
        self._refused: dict[str, dict[Secret, _Refusal]] = {}
        """By account id, then by key."""
        self._hindered: dict[str, tuple[Secret, GatewayError]] = {}
        """By account id: the bearer that could not be renewed the last time, and why."""
        self._unsaved: dict[str, Secret] = {}
        """Refused bearers that wait to be written down, by account id."""

    async def renew(self, account: Account) -> Account | None:
        try:
            known = await asyncio.to_thread(self._accounts.find, account.id)
        except GatewayError as error:
            _LOG.debug("%s was not looked up: %s", account.label, error.message)
            return None
        if known is None or known.place is None:
            return self._with_spare(account, known)
        seen = known.saved.bearer if account.api_key in known.spare else account.api_key
        try:
            saved = await self._accounts.refresher.refresh(account.id, seen=seen)
        except GatewayError as error:
            _LOG.debug("%s was not refreshed: %s", account.label, error.message)
            self._hindered[account.id] = (account.api_key, error)
            if account.fresh_until <= self._accounts.clock.monotonic():
                self._put_off(account)
                return None
            return self._with_spare(account, known)
        self._hindered.pop(account.id, None)
        if timing.lacks_profile(saved):  # the tokens are new, and the key that belongs to them is still to come
            self._hindered[account.id] = (account.api_key, Overloaded(saved.last_error))
        if saved.bearer in (seen, account.api_key):
            return self._with_spare(account, known)
        newer = replace(self._accounts.as_account(replace(known, saved=saved)), concurrency=account.concurrency)
        self._pool.renew(newer)
        return newer

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        if isinstance(error, Revoked) and not isinstance(error, Blocked):
            return False  # it was forbidden one thing, which says nothing about the next
        known = self._accounts.last(account.id)
        if known is None or known.place is None:
            return self._rests_beside_others(account, error)
        keys = (known.saved.bearer, *known.spare)
        if account.api_key not in keys:
            return False  # it has a newer one by now
        if self._is_refused(known.saved, account.api_key):
            return True  # another request was first
        rest_s = self._rest_s(account, error)
        self._remember(known, account.api_key, error, rest_s)
        if rest_s == inf and known.is_ours:
            self._unsaved[account.id] = account.api_key
        _LOG.warning(
            "%s at %s is refused and takes no more requests%s: %s",
            account.label,
            account.provider,
            "" if rest_s == inf else f" for {rest_s:.0f} s",
            error.message,
        )
        self._on_refused()
        return True

    def _rests_beside_others(self, account: Account, error: GatewayError) -> bool:
        """A key of the configuration, which only its owner can change: where others can serve, it is left alone for a
        while; alone it is asked every time, for the upstream says best what is wrong with it."""
        if not self._pool.others(account.provider, {account.id}):
            return False
        now = self._accounts.clock.monotonic()
        rest = Rest(reason=RestReason.FORBIDDEN, until=now + _REST_S, since=now, detail=error.message)
        self._pool.put_to_rest(account.id, rest)
        return True

    def usable(self, one: KnownAccount, *, default_concurrency: int = 0) -> Account | None:
        """The account as requests may use it, with the first of its keys that was not refused; None when all were."""
        if not one.is_usable(self._accounts.clock.now()):
            return None
        account = self._accounts.as_account(one, default_concurrency=default_concurrency)
        for key in (one.saved.bearer, *one.spare):
            if not self._is_refused(one.saved, key):
                return account if key == account.api_key else replace(account, api_key=key, fresh_until=inf)
        return None

    def rests_until(self, one: KnownAccount) -> float:
        """When a refused account may be tried again, in monotonic seconds; 0 when it does not rest."""
        refusals = self._refused.get(one.saved.id, {})
        ends = [refusals[key].until for key in (one.saved.bearer, *one.spare) if self._is_refused(one.saved, key)]
        return min((until for until in ends if until < inf), default=0.0)

    def take_back(self) -> bool:
        """Forget refusals whose time is over; whether there were any."""
        now = self._accounts.clock.monotonic()
        over = [(id, key) for id, keys in self._refused.items() for key, one in keys.items() if one.until <= now]
        for account_id, key in over:
            self._forget(account_id, key)
        return bool(over)

    def forgive(self, account_id: str) -> None:
        """A person says that it works again."""
        for known in (self._refused, self._hindered, self._unsaved):
            known.pop(account_id, None)

    async def save_refusals(self) -> None:
        """Write down what was refused since."""
        while self._unsaved:
            account_id, bearer = self._unsaved.popitem()
            refusal = self._refused.get(account_id, {}).get(bearer)
            if refusal is None:
                continue
            try:
                mark = partial(self._marked, bearer=bearer, error=refusal.error)
                saved = await asyncio.to_thread(self._accounts.store.change, account_id, mark)
            except GatewayError as failure:
                _LOG.warning("that an account needs a new sign-in was not saved: %s", failure.message)
                continue
            self._accounts.note(saved)
            if saved.is_refused and saved.bearer == bearer:
                self._forget(account_id, bearer)

    def _marked(self, saved: SavedAccount, bearer: Secret, error: GatewayError) -> SavedAccount:
        if saved.bearer != bearer:
            return saved  # somebody has brought a newer one
        if saved.is_refused and saved.state in (AccountState.NEEDS_LOGIN, AccountState.DISABLED):
            return saved  # another process was first
        state = saved.state if saved.state is AccountState.DISABLED else AccountState.NEEDS_LOGIN
        now = self._accounts.clock.now()
        return replace(saved, state=state, is_refused=True, last_error=error.message, last_error_at=now)

    def _rest_s(self, account: Account, error: GatewayError) -> float:
        """For how long a refused account is left alone: `inf`, but where a refresh may still bring it back."""
        bearer, hindrance = self._hindered.get(account.id, (None, None))
        if isinstance(error, Revoked) or hindrance is None or bearer != account.api_key:
            return inf
        if outcome.is_permanent(hindrance):
            return inf
        return min(_LONGEST_REST_S, hindrance.retry_after_s or _REST_S)

    def _put_off(self, account: Account) -> None:
        """A bearer about to end goes on as it is, and for a while no request waits for a newer one."""
        if any(one.account == account for one in self._pool.standings(account.provider)):
            fresh_until = self._accounts.clock.monotonic() + _ASK_AGAIN_S
            self._pool.renew(replace(account, fresh_until=fresh_until))

    def _with_spare(self, account: Account, known: KnownAccount | None) -> Account | None:
        """The same account with a key of the same sign-in from another place (reference/iflow.md 2.7)."""
        known = self._accounts.last(account.id) or known  # a refresh may have changed it meanwhile
        if known is None:
            return None
        for key in known.spare:
            if key != account.api_key and not self._is_refused(known.saved, key):
                self._remember(known, account.api_key, CredentialError("The key was refused."), inf)
                newer = replace(account, api_key=key, fresh_until=inf)
                self._pool.renew(newer)
                return newer
        return None

    # --- what was refused ------------------------------------------------------------------------------------------

    def _is_refused(self, saved: SavedAccount, key: Secret) -> bool:
        refusal = self._refused.get(saved.id, {}).get(key)
        return (
            refusal is not None
            and refusal.access_token == _access_token(saved)
            and refusal.until > self._accounts.clock.monotonic()
        )

    def _remember(self, known: KnownAccount, key: Secret, error: GatewayError, rest_s: float) -> None:
        current = {key, known.saved.bearer, *known.spare}
        before = self._refused.get(known.saved.id, {})
        refusal = _Refusal(
            error=error,
            access_token=_access_token(known.saved),
            until=self._accounts.clock.monotonic() + rest_s,
        )
        self._refused[known.saved.id] = {k: one for k, one in before.items() if k in current} | {key: refusal}

    def _forget(self, account_id: str, key: Secret) -> None:
        keys = self._refused.get(account_id, {})
        keys.pop(key, None)
        if not keys:
            self._refused.pop(account_id, None)


def _access_token(saved: SavedAccount) -> Secret:
    return saved.tokens.access_token if saved.tokens else Secret()
