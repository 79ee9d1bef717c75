"""New credentials that the disk would not take: they go on in memory until it does (RELIABILITY F51).

Knows which of two copies is the newer one without trusting a clock. Refuses to write anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.pool.saved import SavedAccount, Tokens
from iflow_cli_proxy.signin.outcome import with_credential_of

_FIRST_PAUSE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 300.0


@dataclass(kw_only=True)
class _Kept:
    account: SavedAccount
    made_from: Tokens | None
    """What lies in the place meanwhile; as soon as it is anything else, somebody has signed in or refreshed there."""
    error: StateError
    pause_s: float
    again_at: float
    """Monotonic."""


class Unsaved:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    @property
    def errors(self) -> Mapping[str, StateError]:
        """Why each of them is still not saved, by account id."""
        return {account_id: kept.error for account_id, kept in self._kept.items()}

    def newest(self, saved: SavedAccount) -> SavedAccount:
        """The account as it was just read, or with the newer credential from here."""
        kept = self._kept.get(saved.id)
        if kept is None or saved.tokens != kept.made_from:
            return saved
        return with_credential_of(saved, kept.account)

    def keep(self, account: SavedAccount, made_from: Tokens | None, error: StateError) -> bool:
        """Go on with `account`, which could not be written over `made_from`; whether this is news."""
        before = self._kept.get(account.id)
        pause_s = before.pause_s if before else _FIRST_PAUSE_S
        again_at = self._clock.monotonic() + pause_s
        self._kept[account.id] = _Kept(
            account=account, made_from=made_from, error=error, pause_s=pause_s, again_at=again_at
        )
        return before is None

    def put_off(self, account_id: str, error: StateError) -> None:
        """It failed again: wait longer."""
        if kept := self._kept.get(account_id):
            kept.error = error
            kept.pause_s = min(_LONGEST_PAUSE_S, kept.pause_s * 2)
            kept.again_at = self._clock.monotonic() + kept.pause_s

    def settle(self, account_id: str) -> bool:
        """It is saved, or no longer the newest; whether there was anything."""
        return self._kept.pop(account_id, None) is not None

    def to_try_again(self) -> tuple[str, ...]:
        """The ids whose pause is over."""
        now = self._clock.monotonic()
        return tuple(account_id for account_id, kept in self._kept.items() if kept.again_at <= now)
