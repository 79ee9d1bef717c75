"""The renewal port: what the gateway asks of whoever keeps credentials alive."""

from __future__ import annotations

from typing import Protocol

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.account import Account


class Renewal(Protocol):
    async def renew(self, account: Account) -> Account | None:
        """A newer credential for an account whose bearer was refused or is about to end.

        The pool has it already when this returns. Many callers at one time share one refresh, in this process and
        across processes. None when there is nothing newer to be had now. Never raises for reasons of the upstream or of
        the disk; a caller that is cancelled leaves the refresh running.
        """
        ...

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        """The upstream did not take this account's bearer, and `renew` has not helped or cannot.

        True when the account is out of the pool for it.
        """
        ...


class NoRenewal:
    """For accounts that are only keys."""

    async def renew(self, account: Account) -> Account | None:
        return None

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        return False
