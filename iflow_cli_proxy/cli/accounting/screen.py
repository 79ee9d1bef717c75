"""The answer of `usage` for people: a line of totals, a chart over days, a table with bars and trends.

On a pipe it is the table alone, without pictures and complete; on a screen that is narrow numbers become short, and
columns are left out. Imported only by commands that ask the ledger.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import inf, isfinite
from typing import Final

from iflow_cli_proxy.cli.accounting.drawing import bar, buckets, columns, short, sparks
from iflow_cli_proxy.cli.columns import Column, drawn, fitting, plain, width_of
from iflow_cli_proxy.cli.output import console, print_text, printable
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.state.ledger_queries import DOLLARS, Group, Sums, total
from iflow_cli_proxy.state.ledger_question import Question, day_of

_NONE: Final = "-"
_BAR_CELLS: Final = 12
_TREND_CELLS: Final = 14
_CHART_HEIGHT: Final = 6
_WIDEST_COLUMN: Final = 6
_LEAST_DAYS: Final = 2
_SHORTEST_NAME: Final = 12


@dataclass(frozen=True, kw_only=True)
class Style:
    """How much room there is, and what the terminal can draw."""

    longest_name: float
    is_short: bool = False
    """Tokens as `1.2M`."""
    is_plain: bool = False
    """No blocks."""

    def name(self, text: str) -> str:
        clean = printable(text) or _NONE
        return f"{clean[: int(self.longest_name) - 1]}…" if len(clean) > self.longest_name else clean

    def tokens(self, sums: Sums, count: int) -> str:
        mark = "~" if sums.estimated and count else ""
        return mark + (short(count) if self.is_short else f"{count:,}")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was asked and what the ledger says."""

    question: Question
    groups: Sequence[Group]
    days: Sequence[Group]
    """The same by day."""
    days_of_groups: Sequence[Group]
    """By the groups and then by day; empty where the groups are days."""


def show(report: Report) -> None:
    """Print it on standard output."""
    if not sys.stdout.isatty():
        print_text(plain(_columns(report, Style(longest_name=inf))))
        return
    screen = console()
    is_plain = not screen.encoding.startswith("utf")
    screen.print(headline(report), style="bold")
    for line in chart(report, screen.width, is_plain=is_plain):
        screen.print(line, style="cyan", no_wrap=True, crop=True, markup=False)
    screen.print()
    style = Style(longest_name=max(_SHORTEST_NAME, screen.width // 3), is_plain=is_plain)
    found = _columns(report, style)
    if width_of(found) > screen.width:
        found = fitting(_columns(report, replace(style, is_short=True)), screen.width)
    screen.print(drawn(found, has_total=True))
    for line in footnotes(total(report.groups)):
        screen.print(spoken(line), style="dim")


def headline(report: Report) -> str:
    """When, and everything together."""
    sums = total(report.groups)
    until = day_of(report.question.until - 1).isoformat() if isfinite(report.question.until) else "now"
    mark = "~" if sums.estimated else ""
    parts = [
        spoken(f"{day_of(report.question.since).isoformat()} to {until}"),
        spoken(f"{_requests(sums.requests)}, {sums.error_share:.1%} errors"),
        spoken(f"{mark}{sums.prompt:,} tokens in, {mark}{sums.completion:,} out"),
    ]
    return printable(" · ".join([*parts, *([cost_text(sums)] if sums.cost else [])]))


def chart(report: Report, width: int, *, is_plain: bool = False) -> list[str]:
    """Tokens over the days, one column for each as long as they fit; nothing for a single day."""
    numbers = [float(sums.tokens) for _, sums in _filled(report.days)]
    if len(numbers) < _LEAST_DAYS or not any(numbers):
        return []
    label = len(short(max(numbers)))
    room = max(8, width - label - 2)
    numbers = buckets(numbers, room)
    label = len(short(max(numbers)))
    thickness = min(_WIDEST_COLUMN, max(1, room // len(numbers)))
    lines = columns(numbers, height=_CHART_HEIGHT, thickness=thickness, is_plain=is_plain)
    first, last = report.days[0][0][0], report.days[-1][0][0]
    side = [short(max(numbers)), *[""] * (_CHART_HEIGHT - 1), "0"]
    drawn = [f"{text:>{label}} {line}" for text, line in zip(side, lines, strict=True)]
    between = max(2, thickness * len(numbers) - len(first) - len(last))
    return [spoken("tokens"), *drawn, f"{'':>{label}}  {first}{' ' * between}{last}"]


def footnotes(sums: Sums) -> list[str]:
    """What the marks mean, as far as there are any."""
    notes = []
    if sums.estimated:
        notes.append(f"~ estimates are in it: nobody counted the tokens of {_requests(sums.estimated)}")
    if sums.unpriced and sums.cost:
        notes.append(f"+ {_requests(sums.unpriced)} had a model without a known price; prices.toml can name it")
    return notes


def cost_text(sums: Sums) -> str:
    """`$1.23`, other currencies by name; `~` holds estimates, `+` is not all."""
    if not sums.cost:
        return _NONE
    amounts = [
        f"${_amount(amount)}" if name == DOLLARS else f"{_amount(amount)} {name}"
        for name, amount in sorted(sums.cost.items())
    ]
    return ("~" if sums.estimated else "") + " ".join(amounts) + ("+" if sums.unpriced else "")


def _requests(count: int) -> str:
    return f"{count:,} {'request' if count == 1 else 'requests'}"


def _amount(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def _columns(report: Report, style: Style) -> list[Column]:
    """All of them; the last cell of each is that of the total."""
    groups = report.groups
    if "day" not in report.question.by:
        groups = sorted(groups, key=lambda group: -group[1].tokens)
    total_word = spoken("total")
    names = [
        Column(
            name=one,
            is_right=False,
            cells=[*(style.name(group[at]) for group, _ in groups), "" if at else total_word],
        )
        for at, one in enumerate(report.question.by)
    ]
    rows = [*(sums for _, sums in groups), total(groups)]
    numbers = [
        Column(name="requests", cells=[f"{sums.requests:,}" for sums in rows]),
        Column(
            name=spoken("errors"), rank=3, cells=[f"{sums.error_share:.1%}" if sums.errors else _NONE for sums in rows]
        ),
        Column(name="prompt", cells=[style.tokens(sums, sums.prompt) for sums in rows]),
        Column(name="cached", rank=6, cells=[style.tokens(sums, sums.cached) for sums in rows]),
        Column(name="completion", cells=[style.tokens(sums, sums.completion) for sums in rows]),
        Column(name="reasoning", rank=7, cells=[style.tokens(sums, sums.reasoning) for sums in rows]),
        Column(name="cost", rank=1, cells=[cost_text(sums) for sums in rows]),
    ]
    return [*names, *numbers, *_pictures(report, groups, style)]


def _pictures(report: Report, groups: Sequence[Group], style: Style) -> list[Column]:
    largest = max((sums.tokens for _, sums in groups), default=0)
    bars = [bar(sums.tokens, largest, _BAR_CELLS, is_plain=style.is_plain) for _, sums in groups]
    trends = _trends(report, groups, style)
    pictures = [("share", 5, bars), ("trend", 4, trends)] if trends else [("share", 5, bars)]
    return [
        Column(name=name, rank=rank, is_right=False, is_picture=True, style="cyan", cells=[*cells, ""])
        for name, rank, cells in pictures
    ]


def _trends(report: Report, groups: Sequence[Group], style: Style) -> list[str]:
    """For each group its tokens over the days."""
    span = [day for (day,), _ in _filled(report.days)]
    if len(span) < _LEAST_DAYS or not report.days_of_groups:
        return []
    found = {names: float(sums.tokens) for names, sums in report.days_of_groups}
    series = ([found.get((*names, day), 0.0) for day in span] for names, _ in groups)
    return [sparks(buckets(numbers, _TREND_CELLS), is_plain=style.is_plain) for numbers in series]


def _filled(days: Sequence[Group]) -> list[Group]:
    """With the days on which nothing happened."""
    if not days:
        return []
    found: Mapping[tuple[str, ...], Sums] = dict(days)
    first, last = (date.fromisoformat(days[at][0][0]) for at in (0, -1))
    span = (first + timedelta(days=after) for after in range((last - first).days + 1))
    return [((day.isoformat(),), found.get((day.isoformat(),), Sums())) for day in span]
