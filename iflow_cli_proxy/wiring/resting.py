"""Long rests of our own accounts, in the pool and in their files: a restart does not forget a quota that is used up.

What a file says of a rest is put in force, what began here is written down, and what was cleared by another process
(`iflow2api token enable`) is cleared here too. One rest is noted for each account: of several the one for all models,
else the one that ends last; the others are found out again by one request each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.rest import Rest, RestReason, next_step
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, enabled, without_rest
from iflow_cli_proxy.wiring.accounts import Accounts

_LOG: Final = logging.getLogger("iflow2api.accounts")
LONG_S: Final = 300.0
"""A shorter rest is not worth a write: after a restart one request finds out."""

_SAME_S: Final = 1.0
"""Moments this close are one: files hold no more of them."""

_MAY_REST: Final = (AccountState.OK, AccountState.COOLING)
_REASONS: Final = {reason.value: reason for reason in RestReason}


class LongRests:
    """`take_up` and `save` are called in turn, by one task."""

    def __init__(self, accounts: Accounts, pool: AccountPool, *, on_reset: Callable[[], None]) -> None:
        self._accounts = accounts
        self._pool = pool
        self._on_reset = on_reset
        self._noted: dict[str, Rest] = {}
        """By account id: the rest that its file tells of, as it is in the pool."""
        self._noted_until: dict[str, float] = {}
        """By account id: its end as the file has it. A wall clock that was set back makes nothing of it."""
        self._enabled_at: dict[str, float | None] = {}
        """By account id: when a person had enabled it last, when we looked last."""
        self._writing = asyncio.Lock()

    def take_up(self) -> None:
        """Put in force what the files said when they were last read."""
        here = list(self._ours())
        self._noted = {saved.id: self._noted[saved.id] for saved in here if saved.id in self._noted}
        for saved in here:
            is_noted = saved.id in self._noted
            was_enabled = self._enabled_at.get(saved.id, saved.enabled_at) != saved.enabled_at
            if saved.state is AccountState.COOLING and not is_noted:
                self._recall(saved)
            elif saved.state is AccountState.OK and (is_noted or was_enabled):
                self._noted.pop(saved.id, None)
                self._pool.reset(saved.id)
                self._on_reset()
        self._enabled_at = {saved.id: saved.enabled_at for saved in here}

    async def save(self) -> None:
        """Write down the rests that have begun or ended since; what cannot be written now is tried again."""
        async with self._writing:
            for account_id, rest in tuple(self._due()):
                await self._write(account_id, rest)

    async def clear(self, account_id: str) -> None:
        """Take every mark that keeps it out from its file, but for the switch of a person.

        Raises:
            StateError: the file cannot be changed.
        """
        async with self._writing:
            edit = partial(_cleared, now=self._accounts.clock.now())
            saved = await asyncio.to_thread(self._accounts.store.change, account_id, edit)
            self._noted.pop(account_id, None)
            self._enabled_at[account_id] = saved.enabled_at
            self._accounts.note(saved)

    def _ours(self) -> Iterator[SavedAccount]:
        """Those in the pool, as they are known."""
        for standing in self._pool.standings():
            known = self._accounts.last(standing.id)
            if known is not None and known.is_ours:
                yield known.saved

    def _recall(self, saved: SavedAccount) -> None:
        """The wall clock may have jumped: no rest is longer than the longest there is."""
        clock = self._accounts.clock
        left_s = min((saved.rests_until or 0.0) - clock.now(), self._pool.rules.longest_rest_s)
        if left_s <= 0:
            return
        reason = _REASONS.get(saved.rest_reason, RestReason.QUOTA)
        now = clock.monotonic()
        known = self._pool.rests(now)
        rest = Rest(
            reason=reason,
            until=now + left_s,
            model=saved.rests_model,
            since=now,
            detail=saved.last_error,
            next_step=next_step(reason, saved.id),
        )
        self._noted[saved.id] = rest
        self._noted_until[saved.id] = saved.rests_until or 0.0
        if not any(one == saved.id and other.model == rest.model and other.until >= rest.until for one, other in known):
            self._pool.put_to_rest(saved.id, rest)

    # --- writing down ---------------------------------------------------------------------------------------------

    def _due(self) -> Iterator[tuple[str, Rest | None]]:
        """Accounts whose file says something else than the pool, with what it should say."""
        wanted: dict[str, Rest] = {}
        for account_id, rest in self._pool.rests(self._accounts.clock.monotonic()):
            other = wanted.get(account_id)
            if self._is_long(account_id, rest) and (other is None or _weight(rest) > _weight(other)):
                wanted[account_id] = rest
        for saved in self._ours():
            longest = wanted.get(saved.id)
            if longest is None and saved.state is AccountState.COOLING:
                yield saved.id, None
            elif longest is not None and saved.state in _MAY_REST and longest != self._noted.get(saved.id):
                yield saved.id, longest

    def _is_long(self, account_id: str, rest: Rest) -> bool:
        """Failures are not noted: after a restart an upstream may well be up again."""
        if rest == self._noted.get(account_id):
            return True
        return rest.reason is not RestReason.FAILING and rest.until - rest.since > LONG_S

    async def _write(self, account_id: str, rest: Rest | None) -> None:
        edit = self._awake if rest is None else partial(self._resting, rest=rest)
        try:
            saved = await asyncio.to_thread(self._accounts.store.change, account_id, edit)
        except GatewayError as error:
            _LOG.debug("the rest of an account was not written down yet: %s", error.message)
            return
        self._noted.pop(account_id, None)
        if rest is not None and saved.state is AccountState.COOLING:
            self._noted[account_id] = rest
            self._noted_until[account_id] = saved.rests_until or 0.0
        self._accounts.note(saved)

    def _resting(self, saved: SavedAccount, rest: Rest) -> SavedAccount:
        if saved.state not in _MAY_REST:
            return saved  # what keeps it out matters more
        clock = self._accounts.clock
        return replace(
            saved,
            state=AccountState.COOLING,
            rests_until=clock.now() + rest.until - clock.monotonic(),
            rests_model=rest.model,
            rest_reason=rest.reason.value,
            last_error=rest.detail,
            last_error_at=clock.now(),
        )

    def _awake(self, saved: SavedAccount) -> SavedAccount:
        until = saved.rests_until or 0.0
        is_ours = abs(until - self._noted_until.get(saved.id, 0.0)) < _SAME_S
        if saved.state is not AccountState.COOLING or (until > self._accounts.clock.now() and not is_ours):
            return saved  # another process has noted a later end
        awake = replace(without_rest(saved), state=AccountState.OK)
        return awake if saved.failing_since is not None else replace(awake, last_error="", last_error_at=None)


def _weight(rest: Rest) -> tuple[bool, float]:
    return not rest.model, rest.until


def _cleared(saved: SavedAccount, *, now: float) -> SavedAccount:
    """Of one that a person switched off everything but that."""
    cleared = enabled(saved, now=now)
    return replace(cleared, state=AccountState.DISABLED) if saved.state is AccountState.DISABLED else cleared
