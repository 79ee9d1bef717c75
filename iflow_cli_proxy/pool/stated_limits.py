"""What an answer's headers say of an account's limits, in the forms of OpenAI, Anthropic and those who copied them.

Knows names and units. Refuses to know what follows from a limit (`pace.py`). A header that says nothing clear is
as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Final, Literal, TypeAlias

import msgspec

from iflow_cli_proxy.core.instants import epoch, instant

Unit: TypeAlias = Literal["requests", "tokens"]

MINUTE_S: Final = 60.0
_EPOCH_AFTER: Final = 1e9
"""A reset beyond this is an instant, not a number of seconds."""
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

_FORMS: Final[tuple[tuple[str, Unit, bool], ...]] = (
    ("x-ratelimit-{}-requests", "requests", True),
    ("x-ratelimit-{}-tokens", "tokens", True),
    ("anthropic-ratelimit-requests-{}", "requests", True),
    ("anthropic-ratelimit-tokens-{}", "tokens", True),
    ("anthropic-ratelimit-input-tokens-{}", "tokens", True),
    ("x-ratelimit-{}", "requests", False),
    ("ratelimit-{}", "requests", False),
)
"""Name with a gap for limit, remaining and reset; unit; whether it is documented as one that refills by the minute."""
_IN_EVERY_NAME: Final = "ratelimit-"
_NAMES: Final = tuple(
    (form.format("limit"), form.format("remaining"), form.format("reset"), unit, refills)
    for form, unit, refills in _FORMS
)


class StatedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit as an upstream states it."""

    unit: Unit
    a_minute: int = 0
    """How many a minute; 0 when that is not what the limit is about."""
    closed_s: float = 0.0
    """For how long nothing is left, at most a minute: an upstream that means more says so in its refusal."""


def stated_limits(headers: Mapping[str, str]) -> Iterator[StatedLimit]:
    """What `headers` (lower-case names) say; an absolute reset counts from the answer's own `date`."""
    if not any(_IN_EVERY_NAME in name for name in headers):
        return  # most upstreams, and most of the time of this function
    for limit_name, remaining_name, reset_name, unit, refills in _NAMES:
        limit, remaining = _count(headers.get(limit_name, "")), _count(headers.get(remaining_name, ""))
        if limit is None and remaining is None:
            continue
        reset_s = _seconds(headers.get(reset_name, ""), headers.get("date", ""))
        # A daily limit wears the same name at some; it gives itself away by a reset that is more than a minute off.
        is_by_minute = refills and (reset_s is None or reset_s <= MINUTE_S)
        closed_s = 0.0
        if remaining == 0 and reset_s is not None:
            # One that refills is full again at its reset, and has room for one request long before.
            share = limit if is_by_minute and unit == "requests" and limit else 1
            closed_s = min(max(reset_s, 0.0) / share, MINUTE_S)
        yield StatedLimit(unit=unit, a_minute=(limit or 0) if is_by_minute else 0, closed_s=closed_s)


def _count(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _seconds(text: str, date: str) -> float | None:
    """`6m0s`, `120ms`, `30`, an epoch second or millisecond, or a date; None when it cannot be told."""
    text = text.strip()
    spans = _SPAN.findall(text[:64])
    if spans and "".join(amount + unit for amount, unit in spans) == text:
        return sum(float(amount) * _UNIT_S[unit] for amount, unit in spans)
    number = _number(text)
    if number is not None and number < _EPOCH_AFTER:
        return number
    at, said_at = instant(text), _date(date)
    return at - said_at if at is not None and said_at is not None else None


def _number(text: str) -> float | None:
    try:
        value = float(text) if text.isascii() and len(text) <= 32 else -1.0
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _date(text: str) -> float | None:
    try:
        return epoch(parsedate_to_datetime(text)) if ":" in text and len(text) <= 64 else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
