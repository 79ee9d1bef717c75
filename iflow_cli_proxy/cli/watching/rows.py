"""The two tables of `top`: requests in flight and accounts, column by column, the least important marked as such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from iflow_cli_proxy.cli.accounting.drawing import short
from iflow_cli_proxy.cli.columns import Column, cut
from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.cli.watching.shape import AccountRow, Request

_NONE: Final = "-"
_PHASES: Final[Mapping[str, str]] = {"queued": "yellow", "waiting": "", "thinking": "magenta", "streaming": "green"}
_STATES: Final[Mapping[str, str]] = {
    "ok": "green",
    "cooling": "yellow",
    "needs_login": "red",
    "refused": "red",
    "expired": "red",
    "empty": "red",
    "disabled": "dim",
    "aside": "dim",
}
_LONGEST_ID: Final = 64
_FOR_PROVIDER: Final = 4
"""What stands before the label of an account takes room too."""


def request_columns(requests: Sequence[Request], longest: int) -> list[Column]:
    """All of them, with names of at most `longest` cells."""

    def names(name: str, cells: Iterable[str], rank: int, most: int = longest) -> Column:
        return Column(name=name, cells=[cut(cell, most) or _NONE for cell in cells], rank=rank, is_right=False)

    return _telling(
        names("model", (one.model for one in requests), 0),
        names("key", (one.key for one in requests), 4),
        names("account", (one.account for one in requests), 2),
        Column(
            name="phase",
            cells=[spoken(printable(one.phase)) for one in requests],
            styles=[_PHASES.get(one.phase, "") for one in requests],
            is_right=False,
        ),
        Column(name="age", cells=[lasting(one.age_s) for one in requests]),
        Column(name="tokens", cells=[short(one.tokens) if one.tokens else _NONE for one in requests], rank=5),
        Column(name="tok/s", cells=[_speed(one) for one in requests], rank=1),
        Column(name="try", cells=[str(one.attempts or _NONE) for one in requests], rank=6),
        names("route", (one.route for one in requests), 9),
        names("protocol", (one.protocol for one in requests), 8),
        names("id", (one.id for one in requests), 7, _LONGEST_ID),
        steady=("account", "tokens", "tok/s", "try", "route"),
    )


def account_columns(accounts: Sequence[AccountRow], longest: int) -> list[Column]:
    """The same of accounts."""

    def names(name: str, cells: Iterable[str], rank: int, most: int = longest) -> Column:
        return Column(name=name, cells=[cut(cell, most) or _NONE for cell in cells], rank=rank, is_right=False)

    return _telling(
        names("account", (_name(one) for one in accounts), 0, longest + _FOR_PROVIDER),
        Column(
            name="state",
            cells=[_state(one) for one in accounts],
            styles=[_STATES.get(one.state, "") for one in accounts],
            is_right=False,
        ),
        Column(name="now", cells=[str(one.in_flight or _NONE) for one in accounts], rank=2),
        Column(name="back in", cells=[_back_in(one) for one in accounts], rank=1),
        Column(name="requests", cells=[f"{one.requests:,}" for one in accounts], rank=4),
        Column(name="failed", cells=[str(one.failures_in_a_row or _NONE) for one in accounts], rank=6),
        names("why", map(_why, accounts), 3),
        names("last error", (one.last_error for one in accounts), 5),
        steady=("now", "requests"),
    )


def is_ready(one: AccountRow) -> bool:
    """Nothing is known that keeps it from the next request."""
    return one.state == "ok" and one.in_use and not one.open_breakers


def _telling(*columns: Column, steady: Sequence[str]) -> list[Column]:
    """Without those that say nothing of anybody, unless they would come and go all the time."""
    return [
        column
        for column in columns
        if not column.rank or column.name in steady or any(cell != _NONE for cell in column.cells)
    ]


def _name(one: AccountRow) -> str:
    return one.label if one.label == one.provider else f"{one.provider}/{one.label or _NONE}"


def soonest_first(accounts: Sequence[AccountRow]) -> list[AccountRow]:
    """Those at work, then those something is wrong with, then the others; for a window too low for all."""
    return sorted(accounts, key=lambda one: (-one.in_flight, one.state == "ok" and not one.rests))


def lasting(seconds: float) -> str:
    """`0.4s`, `12s`, `3:04`, `1h05`, `3d04h`: short, and of a width that hardly changes as it counts."""
    whole = int(seconds)
    if whole < 10:
        return f"{max(0.0, seconds):.1f}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def _speed(one: Request) -> str:
    return f"{one.tokens_per_s:.1f}" if 0 < one.tokens_per_s < 100 else short(one.tokens_per_s) if one.tokens else _NONE


def _state(one: AccountRow) -> str:
    word = printable(one.state).replace("_", " ")
    return spoken(word if one.in_use or one.state != "ok" else "not used")


def _back_in(one: AccountRow) -> str:
    """Of an account that rests as a whole; else the soonest of its models."""
    whole = [rest.seconds_left for rest in one.rests if not rest.model]
    parts = [rest.seconds_left for rest in one.rests if rest.model]
    return lasting(max(whole)) if whole else lasting(min(parts)) if parts else _NONE


def _why(one: AccountRow) -> str:
    rests = [f"{rest.reason} ({rest.model})" if rest.model else rest.reason for rest in one.rests]
    return ", ".join([*rests, *(spoken(f"{name} failing") for name in one.open_breakers)])
