"""The end of iFlow: when the vendor closed it, and what a person can do instead."""

from __future__ import annotations

from typing import Final

SUNSET_AT: Final = 1_776_355_200.0
"""2026-04-17 00:00 UTC+8, as the vendor's client has it built in."""

HINT: Final = "iFlow closed on 2026-04-17; use another upstream: iflow2api serve --upstream URL"


def is_past(now: float) -> bool:
    return now >= SUNSET_AT


def hint(now: float) -> str:
    """What to try when iFlow does not answer; empty before its end."""
    return HINT if is_past(now) else ""
