"""A circuit breaker (RELIABILITY R3): open after too many faults, for ever longer, and closed again by good trials.

Knows counts and moments. Refuses to know what counts as a fault (`outcome.py`) and what it guards: an upstream host, or
one family of models on one account.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Final

import msgspec

from iflow_cli_proxy.pool.window import Window

_FAMILY: Final = re.compile(r"[a-z]+")


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of R3."""

    in_a_row: int = 5
    share: float = 0.5
    """It opens when more than this share of the requests in the window went wrong,"""
    least: int = 20
    """and there were so many at least."""
    window_s: float = 30.0
    first_s: float = 5.0
    spread: float = 0.2
    longest_s: float = 300.0
    good_trials: int = 2


@lru_cache(maxsize=1024)
def family_of(model: str) -> str:
    """What models of one make have in common: `z-ai/glm-4.7` and `glm-5` are both `glm`."""
    name = model.rpartition("/")[2].lower()
    found = _FAMILY.match(name)
    return found[0] if found else name


def too_many(in_a_row: int, running: int) -> int:
    """How many failures in a row mean trouble while `running` other requests are under way.

    Of many requests at one time a few fail after each other by chance: each doubling of them asks for one more.
    """
    return in_a_row + running.bit_length()


class Breaker:
    """Closed, or open until a moment after which one trial at a time may pass."""

    __slots__ = ("_good", "_in_a_row", "_opened", "_window", "is_closed", "trial", "until", "well_at")

    def __init__(self, rules: BreakerRules) -> None:
        self.well_at = -inf
        """When something went well last."""
        self.close(rules)

    def close(self, rules: BreakerRules) -> None:
        """Forget what went wrong."""
        self.is_closed = True
        self.until = -inf
        """While it is not closed: before this moment nothing passes."""
        self.trial = 0
        """Ticket of the lease that is out as a trial; 0 for none."""
        self._opened = 0
        """How often since it was closed last."""
        self._in_a_row = 0
        self._good = 0
        self._window = Window(rules.window_s)

    def opens_at(self, now: float) -> float:
        """When the next request may pass; `inf` while a trial is out."""
        if self.is_closed:
            return now
        return inf if self.trial else self.until

    def went_well(self, ticket: int, now: float, rules: BreakerRules) -> None:
        """Only trials close it: an answer that began before it opened says nothing about now."""
        self.well_at = now
        if self.is_closed:
            self._in_a_row = 0
            self._window.add(now, 1.0, 0.0)
        elif self.trial == ticket:
            self.trial = 0
            self._good += 1
            if self._good >= rules.good_trials:
                self.close(rules)

    @property
    def worth(self) -> tuple[bool, float]:
        """By how much it would be missed: an open one until it lets the next trial through."""
        return not self.is_closed, self.until

    def went_wrong(
        self, ticket: int, now: float, rules: BreakerRules, chance: Callable[[], float], running: int = 0
    ) -> None:
        """A fault while `running` others are under way."""
        if self.is_closed:
            self._in_a_row += 1
            self._window.add(now, 1.0, 1.0)
            if self._in_a_row >= too_many(rules.in_a_row, running) or self._has_too_many(now, rules, running):
                self._open(now, rules, chance())
        elif self.trial == ticket:
            self.trial = 0
            if self.until <= now:  # a trial that was let through before its time changes nothing
                self._open(now, rules, chance())

    def release(self, ticket: int) -> None:
        """A trial ended without a verdict."""
        if self.trial == ticket:
            self.trial = 0

    def _has_too_many(self, now: float, rules: BreakerRules, running: int) -> bool:
        """A share of few is chance; what few are grows with what runs."""
        self._window.forget(now)
        return (
            self._window.first >= rules.least + 2 * running and self._window.second > rules.share * self._window.first
        )

    def _open(self, now: float, rules: BreakerRules, chance: float) -> None:
        open_s = min(rules.first_s * 2.0 ** min(self._opened, 60), rules.longest_s)
        self.until = now + min(open_s * (1.0 + rules.spread * (2.0 * chance - 1.0)), rules.longest_s)
        self.is_closed = False
        self._opened += 1
        self._good = 0
