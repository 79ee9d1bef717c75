"""What a person asks the ledger: the words of a command line or a query, read or refused with the flag that is wrong.

Days are those of this machine's zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import inf
from typing import Final, cast, get_args

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.state.ledger_queries import By

_LENGTH: Final = re.compile(r"([0-9]{1,5})([mhdw])")
_SECONDS: Final = {"m": 60, "h": 3600}
_DAYS: Final = {"d": 1, "w": 7}
_DAY: Final = timedelta(days=1)
_KNOWN: Final[tuple[By, ...]] = get_args(By)


@dataclass(frozen=True, kw_only=True)
class Question:
    """`until` is the first moment that no longer counts."""

    by: tuple[By, ...]
    since: float
    until: float = inf


def question_from(by: str, since: str, until: str, now: float) -> Question:
    """Raises ConfigError for the first flag that makes no sense."""
    question = Question(
        by=_groups(by),
        since=_moment(since, "--since", now, is_end=False),
        until=_moment(until, "--until", now, is_end=True) if until else inf,
    )
    if question.until <= question.since:
        raise ConfigError("That time ends before it begins.", param="--until", hint="--until comes after --since")
    return question


def day_of(seconds: float) -> date:
    """The day of this machine's zone that a moment is in."""
    return datetime.fromtimestamp(seconds).astimezone().date()


def day_began(now: float) -> float:
    """The moment at which the day of this machine's zone began that `now` is in."""
    return _midnight(day_of(now))


def _groups(text: str) -> tuple[By, ...]:
    names = tuple(dict.fromkeys(name for word in text.split(",") if (name := word.strip().lower())))
    for name in names:
        if name not in _KNOWN:
            raise ConfigError(f"{name!r} is nothing to group by.", param="--by", hint=f"known: {', '.join(_KNOWN)}")
    if not names:
        raise ConfigError("--by needs a name.", param="--by", hint=f"known: {', '.join(_KNOWN)}")
    return cast("tuple[By, ...]", names)


def _moment(text: str, flag: str, now: float, *, is_end: bool) -> float:
    """A length of time back from now, where `7d` are today and the six days before it; or a day; or a date and hour."""
    word = text.strip().lower()
    day = None
    try:
        if match := _LENGTH.fullmatch(word):
            count = int(match[1])
            if match[2] in _SECONDS:
                return now - count * _SECONDS[match[2]]
            day = day_of(now) - max(0, count * _DAYS[match[2]] - 1) * _DAY
        elif word in ("today", "yesterday"):
            day = day_of(now) - (_DAY if word == "yesterday" else timedelta())
        elif len(word) == len("2026-11-20"):
            day = date.fromisoformat(word)
        if day is not None:
            return _midnight(day + _DAY if is_end else day)
    except (ValueError, OverflowError):
        raise _no_moment(text, flag) from None
    moment = instant(text.strip())
    if moment is None:
        raise _no_moment(text, flag)
    return moment


def _midnight(day: date) -> float:
    return datetime.combine(day, time()).astimezone().timestamp()


def _no_moment(text: str, flag: str) -> ConfigError:
    return ConfigError(f"{text!r} is no moment.", param=flag, hint="7d, 12h, today, 2026-11-01 or 2026-11-01T18:00")
