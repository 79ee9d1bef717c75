"""The gateway's renewal port over the accounts of this person: refreshed, re-read, or given another key of the same
sign-in; and what becomes of an account that nothing helps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from iflow_cli_proxy.core.errors import CredentialError, GatewayError, Revoked
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.wiring.accounts import Accounts, KnownAccount

_LOG: Final = logging.getLogger("iflow2api.accounts")
_BLOCKED: Final = "account_blocked"


class PoolRenewal:
    """Remembers which bearers were refused, so that nobody is called with them; `save_refusals` writes it down."""

    def __init__(self, accounts: Accounts, pool: AccountPool, on_refused: Callable[[], None]) -> None:
        self._accounts = accounts
        self._pool = pool
        self._on_refused = on_refused
        self._refused: dict[str, tuple[Secret, GatewayError]] = {}
        """By account id: the bearer, and what the upstream said of it."""
        self._unsaved: set[str] = set()
        self.has_refusals = asyncio.Event()
        """Set when something waits to be written down."""

    async def renew(self, account: Account) -> Account | None:
        known = await asyncio.to_thread(self._accounts.find, account.id)
        if known is None or known.place is None:
            return self._with_spare(account, known)
        try:
            saved = await self._accounts.refresher.refresh(account.id, seen=account.api_key)
        except GatewayError as error:
            _LOG.debug("%s was not refreshed: %s", account.label, error.message)
            return self._with_spare(account, known)
        if saved.bearer == account.api_key:
            return None
        newer = replace(self._accounts.as_account(replace(known, saved=saved)), concurrency=account.concurrency)
        self._pool.renew(newer)
        return newer

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        if isinstance(error, Revoked) and error.code != _BLOCKED:
            return False  # it was forbidden one thing, which says nothing about the next
        known = self._accounts.find(account.id)
        if known is None or known.place is None:
            return False  # a key of the configuration: only its owner can change it, and the next request may say more
        if self._refused.get(account.id, (None, None))[0] == account.api_key:
            return True  # another request was first
        self._refused[account.id] = (account.api_key, error)
        if known.is_ours:
            self._unsaved.add(account.id)
            self.has_refusals.set()
        _LOG.warning(
            "%s at %s is refused and takes no more requests: %s", account.label, account.provider, error.message
        )
        self._on_refused()
        return True

    def is_refused(self, saved: SavedAccount) -> bool:
        """Whether its bearer of this moment was refused."""
        bearer, _ = self._refused.get(saved.id, (None, None))
        return bearer == saved.bearer

    def save_refusals(self) -> None:
        """Write down what was refused since; blocks."""
        self.has_refusals.clear()
        while self._unsaved:
            account_id = self._unsaved.pop()
            bearer, error = self._refused[account_id]
            try:
                self._accounts.store.change(account_id, lambda saved: self._marked(saved, bearer, error))  # noqa: B023
            except GatewayError as failure:
                _LOG.warning("that an account needs a new sign-in was not saved: %s", failure.message)

    def _marked(self, saved: SavedAccount, bearer: Secret, error: GatewayError) -> SavedAccount:
        if saved.bearer != bearer:
            return saved  # somebody has brought a newer one
        now = self._accounts.clock.now()
        return replace(
            saved, state=AccountState.NEEDS_LOGIN, is_refused=True, last_error=error.message, last_error_at=now
        )

    def _with_spare(self, account: Account, known: KnownAccount | None) -> Account | None:
        """The same account with a key of the same sign-in from another place (reference/iflow.md 2.7)."""
        refused = {bearer for bearer, _ in self._refused.values()}
        for key in known.spare if known else ():
            if key != account.api_key and key not in refused:
                self._refused[account.id] = (account.api_key, CredentialError("refused"))
                newer = replace(account, api_key=key)
                self._pool.renew(newer)
                return newer
        return None
