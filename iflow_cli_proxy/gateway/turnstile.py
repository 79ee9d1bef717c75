"""Waiting for room: each client in its turn, for a bounded time in a bounded queue (RELIABILITY R8).

Knows the pool and who waits for it. A newcomer overtakes nobody: whoever waits and could go has gone already, since
every change of the pool lets in whom it can, and an account whose minute is nearly used up is kept for the one who has
waited for it first, however much smaller the others' requests are. Refuses to know what a lease is used for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import Busy, GatewayError
from iflow_cli_proxy.gateway.lines import Lines, Waiter
from iflow_cli_proxy.gateway.no_room import no_room
from iflow_cli_proxy.pool.outcome import UNSENT, Outcome
from iflow_cli_proxy.pool.pool import AccountPool, Closed, Lease
from iflow_cli_proxy.pool.wish import Wish

LONGEST_SLEEP_S: Final = 2.0
"""A pool that rests for longer is not waited for: the client is told when to come back (RELIABILITY F61)."""


class Turnstile:
    """The one door to the pool for callers that can wait. Belongs to one event loop once somebody waits."""

    def __init__(
        self, pool: AccountPool, *, now: Callable[[], float], places: int = 100, timeout_s: float = 30.0
    ) -> None:
        self.pool = pool
        self.places = places
        self.timeout_s = timeout_s
        self.now = now
        """Monotonic seconds, as the pool is told them."""
        self._lines = Lines()
        self._kept: set[tuple[str, str]] = set()
        """Accounts, by id and model or none for all, whose next room belongs to somebody who waits."""
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = inf

    @property
    def waiting(self) -> int:
        return sum(1 for _ in self._lines)

    async def enter(
        self, wish: Wish, *, client: str = "", patience_s: float = inf, has_elsewhere: bool = False
    ) -> Lease:
        """A lease, at once or as soon as there may be one, within `patience_s` or the turnstile's own limit.

        `has_elsewhere`: the caller has somewhere to go while an account that failed is tried again, or one is used up
        for this minute.

        Raises:
            NoAccountAvailable: nobody can serve this now; `retry_after_s` says when, where that is known.
            RateLimited, QuotaExhausted, Revoked: every account rests because the upstream asked for it.
            Unreachable: no connection to the upstream held, and it is not yet time for the next one (RELIABILITY F3).
            Busy: the queue is full or waiting took too long.
        """
        found = self._take(wish)
        if isinstance(found, Lease):
            return found
        now = self.now()
        limit_s = min(self.timeout_s, patience_s)
        future: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        waiter = Waiter(wish, client, has_elsewhere, now, now + limit_s, future, found)
        if not _is_waited_for(found, waiter, now):
            raise no_room(wish.provider, found, found.until - now)
        self._find_a_place(client)
        self._lines.join(waiter)
        self._keep(found, wish)
        self._wake_at(found.until)
        try:
            async with asyncio.timeout(limit_s):
                return await future
        except (TimeoutError, asyncio.CancelledError) as ending:
            if not future.cancelled() and future.exception() is None:
                # The lease arrived in the very tick the caller gave up.
                self.leave(future.result(), UNSENT)
            if isinstance(ending, asyncio.CancelledError):
                raise
            raise self._too_late(waiter, limit_s) from None
        finally:
            self._lines.remove(waiter)
            if self._kept:
                self.let_in()  # what was kept for this one may be had by others

    def has_room(self, wish: Wish) -> bool:
        return self.pool.has_room(self._beside_others(wish), self.now())

    def vouch(self, lease: Lease) -> None:
        """Content has come on this lease: if it was a trial, others may follow."""
        self.pool.vouch(lease, self.now())
        if lease.is_trial:
            self.let_in()

    def leave(self, lease: Lease, outcome: Outcome) -> None:
        """Give a lease back and let the next one in."""
        self.pool.give_back(lease, outcome, self.now())
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
        self._kept.clear()
        for client in self._lines.clients():
            for waiter in self._lines.line(client):
                found = self._take(waiter.wish)
                if isinstance(found, Lease):
                    self._lines.remove(waiter)
                    waiter.future.set_result(found)
                    self._lines.had_its_turn(client)
                    was_any = True
                    break
                now = self.now()
                if not _is_waited_for(found, waiter, now):
                    self._lines.remove(waiter)
                    waiter.future.set_exception(no_room(waiter.wish.provider, found, found.until - now))
                    continue
                waiter.found = found
                self._keep(found, waiter.wish)
                soonest = min(soonest, found.until)
        if not self._lines:
            self._kept.clear()
        return was_any, soonest

    # --- what is kept for whom ------------------------------------------------------------------------------------

    def _take(self, wish: Wish) -> Lease | Closed:
        """What the pool has for `wish`, but for accounts that are kept for others."""
        now = self.now()
        if not self._kept:
            return self.pool.take(wish, now)
        found = self.pool.take(self._beside_others(wish), now)
        if isinstance(found, Lease):
            return found
        if self.pool.has_room(wish, now):
            return Closed(inf, "busy", "its next room belongs to another who waits")
        return self.pool.take(wish, now)

    def _beside_others(self, wish: Wish) -> Wish:
        kept = {id for id, model in self._kept if model in ("", wish.model)}
        return msgspec.structs.replace(wish, tried=kept.union(wish.tried)) if kept else wish

    def _keep(self, found: Closed, wish: Wish) -> None:
        """Somebody waits for the rest of a minute: nobody who needs less of it goes first."""
        account = found.paced
        if account is not None:
            self._kept.add((account.id, "" if account.rpm or account.tpm else wish.model))

    # --- the queue ------------------------------------------------------------------------------------------------

    def _find_a_place(self, client: str) -> None:
        """Raises Busy when there is none: a client with many places gives one up to another that has fewer."""
        if self.waiting < self.places:
            return
        busy = Busy("Too many requests are waiting for an account.", retry_after_s=self._line_s())
        last = self._lines.last_of_the_longest(client)
        if last is None:
            raise busy
        self._lines.remove(last)
        last.future.set_exception(busy)

    def _too_late(self, waiter: Waiter, limit_s: float) -> GatewayError:
        found, provider = waiter.found, waiter.wish.provider
        if found.paced is not None:
            return no_room(provider, found, max(self._line_s(), found.until - self.now()))
        return Busy(f"Every account of `{provider}` stayed busy for {limit_s:.3g} s.", retry_after_s=self._line_s())

    def _line_s(self) -> float:
        """About how long waiting takes: as long as it has taken whoever waits longest."""
        now = self.now()
        return min(self.timeout_s, max((now - waiter.since for waiter in self._lines), default=0.0) + 1.0)

    def _wake_at(self, until: float) -> None:
        """Look again then, if nothing lets anybody in before."""
        if until == inf or until >= self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = until
        self._timer = asyncio.get_running_loop().call_later(max(0.0, until - self.now()), self._look_again)

    def _look_again(self) -> None:
        self._timer, self._wakes_at = None, inf
        self.let_in()


def _is_waited_for(found: Closed, waiter: Waiter, now: float) -> bool:
    """Whether waiting may mend it. Nobody sleeps here until a rest is over; the client is told to come back instead
    (RELIABILITY F61)."""
    if found.reason == "busy" or found.until <= now + LONGEST_SLEEP_S:
        return True
    if waiter.has_elsewhere:
        return False
    return found.reason == "trial" or (found.paced is not None and found.until < waiter.gives_up_at)
