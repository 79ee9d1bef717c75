"""Which of several free accounts is taken: one small function for each strategy.

Knows turns, weights and who talked to whom. Refuses to know why an account is not free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Final

from iflow_cli_proxy.pool.rules import Choosing, PoolRules, Strategy
from iflow_cli_proxy.pool.standing import Standing
from iflow_cli_proxy.pool.wish import Wish

_MOST_SESSIONS: Final = 10_000

_turn: Final[Callable[[Standing], int]] = attrgetter("turn")
_busyness: Final = attrgetter("in_flight", "turn")


class Selector:
    """Holds what strategies have to remember."""

    def __init__(self) -> None:
        self._credits: dict[str, dict[str, float]] = {}
        """For `weighted`, by pool and account id."""
        self._sessions: dict[tuple[str, str], tuple[str, float]] = {}
        """For `sticky`: provider and session to account id and the end of its time; oldest first."""

    def keep_only(self, ids: Collection[str]) -> None:
        """Forget accounts that are gone."""
        for credits in self._credits.values():
            for id in [id for id in credits if id not in ids]:
                del credits[id]
        self._sessions = {key: bound for key, bound in self._sessions.items() if bound[0] in ids}

    def choose(self, free: Sequence[Standing], everyone: Sequence[Standing], wish: Wish, now: float, rules: PoolRules) \
            -> Standing:  # fmt: skip
        """One of `free`, which is not empty and in the order of `everyone`."""
        choosing = rules.pools.get(wish.pool, rules.choosing) if wish.pool else rules.choosing
        match choosing.strategy:
            case Strategy.LEAST_BUSY:
                return _least_busy(free)
            case Strategy.ROUND_ROBIN:
                return min(free, key=_turn)
            case Strategy.FILL_FIRST:
                return free[0]
            case Strategy.WEIGHTED:
                return self._weighted(free, choosing, wish.pool)
            case Strategy.STICKY:
                return self._sticky(free, everyone, wish, now, rules.sticky_ttl_s)

    def _weighted(self, free: Sequence[Standing], choosing: Choosing, pool: str) -> Standing:
        """Smooth weighted round robin: everybody gains its weight, the richest pays for all."""
        credits = self._credits.setdefault(pool, {})
        total, richest, most = 0.0, free[0], float("-inf")
        for one in free:
            weight = max(0.0, choosing.weights.get(one.id, one.account.weight))
            total += weight
            credit = credits[one.id] = credits.get(one.id, 0.0) + weight
            if weight and credit > most:
                richest, most = one, credit
        credits[richest.id] -= total
        return richest

    def _sticky(
        self, free: Sequence[Standing], everyone: Sequence[Standing], wish: Wish, now: float, ttl_s: float
    ) -> Standing:
        """The account the conversation is with, else the one that hashing gives it to.

        While that account is only full, or waits for a newer bearer, another helps out for one request.
        """
        if not wish.session:
            return _least_busy(free)
        key = wish.provider, wish.session
        id, ends_at = self._sessions.pop(key, ("", now))
        bound = next((one for one in everyone if one.id == id), None) if ends_at > now else None
        chosen = bound if bound in free else None
        chosen = chosen or max(free, key=_affinity(wish.session))
        helps_out = bound is not None and chosen is not bound and (not bound.has_room or bound.is_free(wish, now))
        self._sessions[key] = (id if helps_out else chosen.id, now + ttl_s)
        if len(self._sessions) > _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return chosen


def _least_busy(free: Sequence[Standing]) -> Standing:
    least = min(free, key=_busyness)
    if not least.turn:  # nobody has been used yet, so a first choice comes first
        return next((one for one in free if one.account.is_preferred and not one.turn), least)
    return least


def _affinity(session: str) -> Callable[[Standing], bytes]:
    """Rendezvous hashing: each session has its own order of accounts, so a lost account moves only its own sessions."""
    start = blake2b(session.encode(errors="surrogatepass"), digest_size=8)

    def score(one: Standing) -> bytes:
        mixed = start.copy()
        mixed.update(one.id.encode(errors="surrogatepass"))
        return mixed.digest()

    return score
