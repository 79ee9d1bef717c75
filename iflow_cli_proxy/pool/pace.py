"""How fast requests may follow each other on one account: limits that were set, stated or found out, and what was used.

A limit comes from the settings, else from the headers of answers, else from a refusal that named no time: what had gone
out in the minute before it was too much, so a little less is kept to, a little more every minute, and after ten minutes
it is forgotten. Refuses to know who waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from typing import Final

from iflow_cli_proxy.pool.stated_limits import MINUTE_S, Unit, stated_limits
from iflow_cli_proxy.pool.window import Window

_LEAST_TO_GUESS_FROM: Final = 10
"""Fewer requests in a minute say nothing about a limit: somebody else uses the account, or all are refused."""
_GUESSED_SHARE: Final = 0.9
_GROWTH_A_MINUTE: Final = 0.1
_GUESS_HOLDS_S: Final = 600.0


class Pace:
    """Of one account, or of one model on it."""

    __slots__ = ("_closed_until", "_guess", "_guessed_at", "_rpm", "_tpm", "_window", "is_limited")

    def __init__(self, rpm: int = 0, tpm: int = 0) -> None:
        self._rpm = float(rpm or inf)
        self._tpm = float(tpm or inf)
        self._guess = inf
        self._guessed_at = -inf
        self._closed_until = -inf
        self._window = Window(MINUTE_S)
        self.is_limited = bool(rpm or tpm)
        """Whether there is anything to keep to."""

    def set(self, rpm: int, tpm: int) -> None:
        """Put other limits in force and keep what was used."""
        self._rpm, self._tpm = float(rpm or inf), float(tpm or inf)
        self.is_limited = bool(rpm or tpm)

    @property
    def matters_until(self) -> float:
        """When it lets everything through that it would let through had nothing been learned or used."""
        return max(self._closed_until, self._window.newest_at + MINUTE_S) if self.is_limited else -inf

    def limits(self, now: float) -> tuple[int, int]:
        """Requests and tokens a minute, as far as anybody knows; 0 for no limit."""
        rpm = self._rpm if self._guess == inf else self._guessed(now)
        return 0 if rpm == inf else int(rpm), 0 if self._tpm == inf else int(self._tpm)

    def use(self, now: float, tokens: int) -> None:
        """A request goes out."""
        self._window.add(now, 1.0, tokens)

    def correct(self, at: float, requests: int, tokens: int) -> None:
        """What went out at the moment `at` was more or less than thought."""
        if requests or tokens:
            self._window.correct(at, requests, tokens)

    def opens_at(self, now: float, tokens: int) -> float:
        """The first moment, `now` or later, at which a request of `tokens` fits."""
        window = self._window
        most = self._rpm if self._guess == inf else self._guessed(now)
        most_tokens = self._tpm - tokens
        if window.first + 1.0 <= most and window.second <= most_tokens:
            return now if self._closed_until <= now else self._closed_until
        # One that is larger than the whole minute's allowance goes when nothing else has been used.
        most_tokens = max(0.0, most_tokens)
        opens_at = window.earliest(now, lambda first, second: first + 1.0 <= most and second <= most_tokens)
        return max(opens_at, self._closed_until)

    def learn(self, headers: Mapping[str, str], now: float, units: Collection[Unit] = ("requests", "tokens")) -> None:
        """Take up what an answer's headers say of `units`; their latest word holds."""
        for stated in stated_limits(headers):
            if stated.unit not in units:
                continue
            if stated.a_minute and stated.unit == "requests":
                self._rpm = float(stated.a_minute)
            elif stated.a_minute:
                self._tpm = float(stated.a_minute)
            self._closed_until = max(self._closed_until, now + stated.closed_s)
            self.is_limited = True

    def was_refused(self, now: float) -> None:
        """It was too fast, and nobody said how fast it may be."""
        self._window.forget(now)
        if self._window.first >= _LEAST_TO_GUESS_FROM:
            self._guess = max(1.0, self._window.first * _GUESSED_SHARE)
            self._guessed_at = now
            self.is_limited = True

    def _guessed(self, now: float) -> float:
        """The guess as it has grown since, unless a smaller limit is known."""
        age_s = now - self._guessed_at
        if age_s >= _GUESS_HOLDS_S:
            self._guess = inf
        return min(self._rpm, self._guess * (1.0 + _GROWTH_A_MINUTE * age_s / MINUTE_S))
