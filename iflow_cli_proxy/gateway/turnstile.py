"""Waiting for room: each client in its turn, for a bounded time in a bounded queue (RELIABILITY R8).

Knows the pool and who waits for it. A newcomer overtakes nobody: whoever waits and could go has gone already, since
every change of the pool lets in whom it can. Refuses to know what a lease is used for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from iflow_cli_proxy.core.errors import (
    Busy,
    GatewayError,
    NoAccountAvailable,
    QuotaExhausted,
    RateLimited,
    Revoked,
    Unreachable,
)
from iflow_cli_proxy.pool.outcome import UNSENT, Outcome
from iflow_cli_proxy.pool.pool import AccountPool, Closed, Lease
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.wish import Wish

LONGEST_SLEEP_S: Final = 2.0
"""A pool that rests for longer is not waited for: the client is told when to come back (RELIABILITY F61)."""


@dataclass(slots=True, eq=False)
class _Waiter:
    wish: Wish
    client: str
    passes_trials_by: bool
    future: asyncio.Future[Lease]


class Turnstile:
    """The one door to the pool for callers that can wait. Belongs to one event loop once somebody waits."""

    def __init__(
        self, pool: AccountPool, *, now: Callable[[], float], places: int = 100, timeout_s: float = 30.0
    ) -> None:
        self.pool = pool
        self.places = places
        self.timeout_s = timeout_s
        self._now = now
        self._lines: dict[str, deque[_Waiter]] = {}
        """By client, the one whose turn it is first. Those that gave up may stand here until their task runs again."""
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = inf

    @property
    def waiting(self) -> int:
        return sum(1 for line in self._lines.values() for waiter in line if not waiter.future.done())

    async def enter(
        self, wish: Wish, *, client: str = "", patience_s: float = inf, passes_trials_by: bool = False
    ) -> Lease:
        """A lease, at once or as soon as there may be one, within `patience_s` or the turnstile's own limit.

        `passes_trials_by`: the caller has somewhere else to go while an account that failed is tried again.

        Raises:
            NoAccountAvailable: nobody can serve this now; `retry_after_s` says when, where that is known.
            RateLimited, QuotaExhausted, Revoked: every account rests because the upstream asked for it.
        Unreachable: no connection to the upstream held, and it is not yet time for the next one (RELIABILITY F3).
            Busy: the queue is full or waiting took too long.
        """
        found = self.pool.take(wish, self._now())
        if isinstance(found, Lease):
            return found
        refusal = _refusal(wish, found, found.until - self._now(), passes_trials_by=passes_trials_by)
        if refusal is not None:
            raise refusal
        if self.waiting >= self.places:
            raise Busy("Too many requests are waiting for an account.", retry_after_s=self.timeout_s)
        limit_s = min(self.timeout_s, patience_s)
        waiter = _Waiter(wish, client, passes_trials_by, asyncio.get_running_loop().create_future())
        self._lines.setdefault(client, deque()).append(waiter)
        self._wake_at(found.until)
        try:
            async with asyncio.timeout(limit_s):
                return await waiter.future
        except (TimeoutError, asyncio.CancelledError) as ending:
            if not waiter.future.cancelled() and waiter.future.exception() is None:
                # The lease arrived in the very tick the caller gave up.
                self.leave(waiter.future.result(), UNSENT)
            if isinstance(ending, asyncio.CancelledError):
                raise
            raise Busy(
                f"Every account of `{wish.provider}` stayed busy for {limit_s:g} s.", retry_after_s=1.0
            ) from None
        finally:
            self._forget(waiter)

    def has_room(self, wish: Wish) -> bool:
        return self.pool.has_room(wish, self._now())

    def vouch(self, lease: Lease) -> None:
        """Content has come on this lease: if it was a trial, others may follow."""
        self.pool.vouch(lease, self._now())
        if lease.is_trial:
            self.let_in()

    def leave(self, lease: Lease, outcome: Outcome) -> None:
        """Give a lease back and let the next one in."""
        self.pool.give_back(lease, outcome, self._now())
        self.let_in()

    def let_in(self) -> None:
        """Hand what is free to those who wait for it, one for each client in turn, and send away whom waiting helps no
        more; to be called whenever the pool has changed."""
        soonest = inf
        goes_on = bool(self._lines)
        while goes_on:
            goes_on, soonest = self._one_round()
        self._wake_at(soonest)

    def _one_round(self) -> tuple[bool, float]:
        """Let in one of each client at most; whether anybody was, and when to look again."""
        soonest = inf
        was_any = False
        for client in tuple(self._lines):
            line = self._lines[client]
            for waiter in tuple(line):
                if waiter.future.done():
                    continue
                found = self.pool.take(waiter.wish, self._now())
                if isinstance(found, Lease):
                    line.remove(waiter)
                    waiter.future.set_result(found)
                    self._lines[client] = self._lines.pop(client)  # to the end of the turns
                    was_any = True
                    break
                wait_s = found.until - self._now()
                refusal = _refusal(waiter.wish, found, wait_s, passes_trials_by=waiter.passes_trials_by)
                if refusal is not None:
                    line.remove(waiter)
                    waiter.future.set_exception(refusal)
                    continue
                soonest = min(soonest, found.until)
        return was_any, soonest

    def _forget(self, waiter: _Waiter) -> None:
        line = self._lines.get(waiter.client)
        if line is not None and waiter in line:
            line.remove(waiter)
        if not line:
            self._lines.pop(waiter.client, None)

    def _wake_at(self, until: float) -> None:
        """Look again then, if nothing lets anybody in before."""
        if until == inf or until >= self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = until
        self._timer = asyncio.get_running_loop().call_later(max(0.0, until - self._now()), self._look_again)

    def _look_again(self) -> None:
        self._timer, self._wakes_at = None, inf
        self.let_in()


def _refusal(wish: Wish, found: Closed, wait_s: float, *, passes_trials_by: bool) -> GatewayError | None:
    """What is said where waiting mends nothing, None where it may.

    Nobody sleeps here until a rest is over; the client is told to come back instead (RELIABILITY F61).
    """
    if found.reason == "busy" or wait_s <= LONGEST_SLEEP_S or (found.reason == "trial" and not passes_trials_by):
        return None
    if found.reason in ("none", "tried"):
        return NoAccountAvailable(
            f"There is no account for `{wish.provider}`.",
            hint=f"`iflow2api login {wish.provider}` adds one, `iflow2api token list` shows those that are left out",
        )
    retry_after_s = wait_s if wait_s < inf else None
    if found.reason == "host":
        return Unreachable(
            f"`{wish.provider}` could not be reached just now; it is tried again in a moment.",
            detail=found.detail,
            hint="`iflow2api doctor --online` looks at the upstream",
            retry_after_s=retry_after_s,
        )
    if found.rest is RestReason.QUOTA:
        return QuotaExhausted(
            f"Every account of `{wish.provider}` has used up its quota.",
            detail=found.detail,
            retry_after_s=retry_after_s,
            code="insufficient_quota",
        )
    if found.reason == "paced" or found.rest is RestReason.RATE:
        return RateLimited(
            f"Every account of `{wish.provider}` is at its limit.", detail=found.detail, retry_after_s=retry_after_s
        )
    if found.rest in (RestReason.FORBIDDEN, RestReason.BLOCKED):
        return Revoked(
            f"Every account of `{wish.provider}` is refused what was asked for.",
            detail=found.detail,
            hint="`iflow2api token list` shows why",
            retry_after_s=retry_after_s,
        )
    return NoAccountAvailable(
        f"Every account of `{wish.provider}` rests after failures.",
        detail=found.detail,
        hint="`iflow2api token list` and the log show why",
        retry_after_s=retry_after_s,
    )
