"""Is the clock right? Tokens expire by it, and servers check what we sign against theirs.

Judged by what upstreams say, where they were asked, else by what cannot be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.doctor.finding import Finding, Group, Status

_EARLIEST: Final = 1_767_225_600.0
"""2026-01-01: this program is younger."""
_LATEST: Final = 4_102_444_800.0
"""2100-01-01."""
_FINE_S: Final = 60.0
"""Honest clocks differ by as much (RELIABILITY F57)."""
_WRONG_S: Final = 300.0
_SET: Final = "set the clock: timedatectl set-ntp true, or the date settings of this system"

_finding = partial(Finding, group=Group.ENVIRONMENT, subject="clock")


def judge_alone(now: float, saved_at: Iterable[float] = ()) -> Finding:
    """Without asking anybody; `saved_at` are instants at which things were saved here, so that they lie in the past."""
    if not _EARLIEST <= now < _LATEST:
        return _finding(status=Status.FAILURE, text=f"says {rfc3339(now)}, which cannot be", action=_SET)
    ahead_s = max(saved_at, default=now) - now
    if ahead_s > _WRONG_S:
        text = f"accounts were saved {span(ahead_s)} from now: it was set back, or was wrong then"
        return _finding(status=Status.WARNING, text=text, action=_SET)
    return _finding(status=Status.OK, text=f"says {rfc3339(now)}")


def judge_against(offset_s: float) -> Finding:
    """`offset_s` is how far this clock is ahead of a server's."""
    if abs(offset_s) <= _FINE_S:
        return _finding(status=Status.OK, text="agrees with the upstreams")
    way = "ahead of" if offset_s > 0 else "behind"
    text = f"is wrong: {span(offset_s)} {way} the upstreams"
    if abs(offset_s) <= _WRONG_S:
        return _finding(status=Status.WARNING, text=text, action=_SET)
    return _finding(status=Status.FAILURE, text=f"{text}; tokens seem to live too long or not at all", action=_SET)


def date_of(headers: Mapping[str, str]) -> float | None:
    """The server's own clock, of an answer's lower-case headers."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
