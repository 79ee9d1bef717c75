"""The answer of `usage` as CSV, of the same shape as its JSON (`state/ledger_shapes.py`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.state.ledger_queries import DOLLARS, Group, Sums, total
from iflow_cli_proxy.state.ledger_question import Question
from iflow_cli_proxy.state.ledger_shapes import numbers

_FORMULA: Final = ("=", "+", "-", "@")


def as_csv(question: Question, groups: Sequence[Group]) -> str:
    """A line for each group, without totals; costs have a column for each currency."""
    currencies = sorted({DOLLARS, *total(groups).cost})
    plain = [name for name in numbers(Sums()) if name != "cost"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*question.by, *plain, *(f"cost_{name.lower()}" for name in currencies)])
    for names, sums in groups:
        shown = numbers(sums)
        costs = (sums.cost.get(name, "") for name in currencies)
        writer.writerow([*map(_cell, names), *(shown[name] for name in plain), *costs])
    return text.getvalue()


def _cell(text: str) -> str:
    """Names come from strangers: none becomes a formula of a spreadsheet."""
    clean = printable(text)
    return f"'{clean}" if clean.startswith(_FORMULA) else clean
