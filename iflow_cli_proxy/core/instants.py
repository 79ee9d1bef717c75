"""Instants in all the shapes programs write them (seconds, milliseconds, digits, dates) and in the one we write.

Pure: the local zone of this machine is the only thing looked up, for dates that name none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Final

from iflow_cli_proxy.core.jsonx import Json

_MILLISECONDS_FROM: Final = 1e11
"""A smaller number counts seconds: as milliseconds it would be before March 1973."""
_LATEST: Final = 1e11
_END_OF_CALENDAR: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
_DIGITS: Final = re.compile(r"\d{1,16}(?:\.\d{1,9})?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.{0,25}")


def instant(value: Json, zone: tzinfo | None = None) -> float | None:
    """Epoch seconds of a number (seconds or milliseconds), of digits or of a date; None when it says nothing.

    A date without a zone is of `zone`, or in the local time of this machine.
    """
    if isinstance(value, str):
        text = value.strip()
        if _DIGITS.fullmatch(text):
            return instant(float(text))
        return _from_date(text, zone) if _DATE.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    seconds = value / 1000 if value >= _MILLISECONDS_FROM else float(value)
    return seconds if 0 < seconds < _LATEST else None


def rfc3339(seconds: float, *, is_exact: bool = False) -> str:
    """`2026-04-16T16:00:00Z`, to the second or, exact, to the microsecond.

    What no calendar holds becomes the nearest moment that one does.
    """
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), _END_OF_CALENDAR), UTC)
    return (moment if is_exact else moment.replace(microsecond=0)).isoformat().replace("+00:00", "Z")


def epoch(moment: datetime) -> float:
    """Epoch seconds; a moment without a zone is taken for UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _from_date(text: str, zone: tzinfo | None) -> float | None:
    try:
        date = datetime.fromisoformat(text)
        if date.tzinfo is None and zone is not None:
            date = date.replace(tzinfo=zone)
        seconds = date.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None  # Go writes the year 1 for "never"
