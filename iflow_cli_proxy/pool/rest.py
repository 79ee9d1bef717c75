"""Why an account rests, for how long, and what a person can do about it.

Knows the states and their lengths. Refuses to know errors (`outcome.py`) and who rests (`standing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from iflow_cli_proxy.pool.rules import PoolRules


class RestReason(StrEnum):
    RATE = "rate"
    """A burst limit: soon over."""
    QUOTA = "quota"
    """A window's or a day's allowance is used up."""
    FAILING = "failing"
    """Failures in a row."""
    FORBIDDEN = "forbidden"
    """The vendor forbids it what was asked for."""
    BLOCKED = "blocked"
    """The vendor has blocked it as a whole."""


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is asked of the account until then; after that, one trial."""

    reason: RestReason
    until: float
    model: str = ""
    """Empty for the whole account."""
    since: float = 0.0
    detail: str = ""
    """What the upstream said; without secrets."""
    next_step: str = ""
    """What a person can do."""


_FIRST_BURST_S: Final = 2.0
_FORBIDDEN_S: Final = 1800.0
_LONGEST_FAILING_S: Final = 300.0
_UPWARDS: Final = 0.1
"""A rest that was asked for is never shortened, and at most this much longer, so that not all come back at once."""
LONGEST_SPREAD_S: Final = 2.0
"""And after a hint only by so much that a client which comes back at that second may wait for the rest of it."""
_LARGEST_POWER: Final = 30

_NEXT_STEPS: Final[Mapping[RestReason, str]] = {
    RestReason.RATE: "nothing: it is used again by itself; rpm or concurrency in its provider's table prevents it",
    RestReason.QUOTA: "wait for the next window, or add an account: iflow2api login",
    RestReason.FAILING: "nothing if it passes; `iflow2api doctor` looks at the upstream",
    RestReason.FORBIDDEN: "check what the account may use at its vendor, then `iflow2api token enable ID`",
    RestReason.BLOCKED: "ask the vendor; once it is unblocked, `iflow2api token enable ID`",
}


def begin_rest(
    reason: RestReason,
    now: float,
    rules: PoolRules,
    *,
    account_id: str = "",
    model: str = "",
    hint_s: float | None = None,
    again: int = 0,
    chance: float = 0.0,
    detail: str = "",
) -> Rest:
    """A rest from `now`; `again` is how many came before it without a success, `hint_s` what the upstream asks for."""
    length_s = _length_s(reason, rules, hint_s, again)
    spread_s = _UPWARDS * chance * length_s
    if hint_s is not None:
        spread_s = min(spread_s, LONGEST_SPREAD_S)
    length_s = min(length_s + spread_s, rules.longest_rest_s)
    step = next_step(reason, account_id)
    return Rest(reason=reason, until=now + length_s, model=model, since=now, detail=detail, next_step=step)


def next_step(reason: RestReason, account_id: str = "") -> str:
    """What a person can do about it."""
    return _NEXT_STEPS[reason].replace("ID", account_id or "ID")


def _length_s(reason: RestReason, rules: PoolRules, hint_s: float | None, again: int) -> float:
    if hint_s is not None and reason is not RestReason.FAILING:
        return max(0.0, hint_s)
    growth = 2.0 ** min(again, _LARGEST_POWER)
    match reason:
        case RestReason.RATE:
            return min(_FIRST_BURST_S * growth, rules.cool_down_s)
        case RestReason.FAILING:
            return min(rules.cool_down_s * growth, max(rules.cool_down_s, _LONGEST_FAILING_S))
        case RestReason.FORBIDDEN:
            return _FORBIDDEN_S
        case RestReason.QUOTA | RestReason.BLOCKED:
            return rules.longest_rest_s
