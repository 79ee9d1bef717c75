"""Who may be called now: accounts, how busy each is, and how it went last.

Pure bookkeeping: it never waits. Waiting for room is `gateway/turnstile.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from iflow_cli_proxy.pool.account import Account


@dataclass(slots=True)
class Standing:
    """What is true of one account right now."""

    account: Account
    in_flight: int = 0
    requests: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    """Kind of the last failure, empty after a success."""

    @property
    def has_room(self) -> bool:
        return not self.account.concurrency or self.in_flight < self.account.concurrency


class Lease(msgspec.Struct, frozen=True, eq=False):
    """The right to use an account for one attempt; give it back exactly once."""

    account: Account
    standing: Standing


class AccountPool:
    """Every account of every provider. `replace` swaps the set while leases are out; their counts carry over."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._standings: dict[str, Standing] = {}
        self._leaving: dict[str, Standing] = {}
        """Of accounts that were taken out while leases on them are out: they count should one come back."""
        self._of: dict[str, tuple[Standing, ...]] = {}
        """The same by provider."""
        self.replace(accounts)

    def replace(self, accounts: Iterable[Account]) -> None:
        old = {**self._leaving, **self._standings}
        self._standings = {}
        for account in accounts:
            standing = old.get(account.id) or Standing(account)
            standing.account = account
            self._standings[account.id] = standing
        self._leaving = {
            id: standing for id, standing in old.items() if standing.in_flight and id not in self._standings
        }  # fmt: skip
        everyone = tuple(self._standings.values())
        names = {standing.account.provider for standing in everyone}
        self._of = {name: tuple(one for one in everyone if one.account.provider == name) for name in names}

    def renew(self, account: Account) -> None:
        """Put a newer credential in force for leases to come; nothing happens when the account is not here any more."""
        standing = self._standings.get(account.id)
        if standing is not None:
            standing.account = account

    def standings(self, provider: str = "") -> tuple[Standing, ...]:
        return self._of.get(provider, ()) if provider else tuple(self._standings.values())

    def others(self, provider: str, tried: Collection[str]) -> int:
        """How many accounts of `provider` are not among `tried` ids."""
        return sum(1 for standing in self.standings(provider) if standing.account.id not in tried)

    def take(self, provider: str, tried: Collection[str] = (), wanted: str = "") -> Lease | None:
        """A lease on the `wanted` account if it has room, else on the least busy one with room, preferring those not
        yet `tried`; None when all are full."""
        free = [standing for standing in self.standings(provider) if standing.has_room]
        fresh = [standing for standing in free if standing.account.id not in tried]
        chosen = next((standing for standing in free if standing.account.id == wanted), None)
        chosen = chosen or min(fresh or free, key=_busyness, default=None)
        if chosen is None:
            return None
        chosen.in_flight += 1
        chosen.requests += 1
        return Lease(chosen.account, chosen)

    def give_back(self, lease: Lease, error_kind: str = "") -> None:
        """`error_kind` is empty when it went well or when the account is not to blame."""
        standing = lease.standing
        standing.in_flight -= 1
        standing.last_error = error_kind
        standing.failures_in_a_row = standing.failures_in_a_row + 1 if error_kind else 0


def _busyness(standing: Standing) -> tuple[int, int, bool]:
    return standing.in_flight, standing.requests, not standing.account.is_preferred
