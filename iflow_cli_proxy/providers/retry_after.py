"""How long an upstream asks us to wait, whichever of the many header forms it uses.

Knows Retry-After (RFC 9110, seconds or a date), `retry-after-ms` and the `x-ratelimit-reset` family. Refuses to know
what the wait is for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 7 * 86_400.0
"""A wish for more is cut to this; how long an account rests for it is `resilience.longest_rest_s` (RELIABILITY F33)."""

_EPOCH_AFTER: Final = 1_000_000_000.0
_EPOCH_MS_AFTER: Final = 100_000_000_000.0
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_RESET: Final = "x-ratelimit-reset"
_REMAINING: Final = "x-ratelimit-remaining"


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, at most a week; None when the upstream does not say.

    `headers` have lower-case names. `now` (epoch seconds) is used for dates when the answer carries no Date of its own.
    """
    now = _date(headers.get("date", "")) or now
    wish = _number(headers.get("retry-after-ms", ""))
    if wish is not None:
        return _bounded(wish / 1000)
    stated = headers.get("retry-after", "")
    wish = _number(stated)
    if wish is not None:
        return _bounded(wish)
    at = _date(stated)
    if at is not None:
        return _bounded(at - now)
    resets = [_reset(value, now) for name, value in headers.items() if _is_used_up(name, headers)]
    known = [reset for reset in resets if reset is not None]
    return _bounded(max(known)) if known else None


def _is_used_up(name: str, headers: Mapping[str, str]) -> bool:
    """Whether `name` tells when an allowance returns that is gone, as far as its sister header says."""
    if not name.startswith(_RESET):
        return False
    left = _number(headers.get(_REMAINING + name.removeprefix(_RESET), ""))
    return left is None or left <= 0


def _reset(value: str, now: float) -> float | None:
    """`6m0s`, `120ms`, seconds from now, an epoch second or an epoch millisecond."""
    number = _number(value)
    if number is not None:
        if number > _EPOCH_MS_AFTER:
            return number / 1000 - now
        return number - now if number > _EPOCH_AFTER else number
    spans = _SPAN.findall(value)
    if spans and "".join(amount + unit for amount, unit in spans) == value.strip():
        return sum(float(amount) * _UNIT_S[unit] for amount, unit in spans)
    at = _date(value)
    return None if at is None else at - now


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_S)


def _number(text: str) -> float | None:
    text = text.strip()
    if not text.isascii() or len(text) > 32:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _date(text: str) -> float | None:
    if len(text) > 64 or ":" not in text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
