"""The answer of `usage` for scripts: JSON and CSV of stable shapes. Times are means in milliseconds, null for none."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from iflow_cli_proxy.cli.accounting.question import Question
from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.state.ledger_queries import DOLLARS, Group, Sums, total

_FORMULA: Final = ("=", "+", "-", "@")


def as_json(question: Question, groups: Sequence[Group]) -> dict[str, Any]:
    return {
        "since": rfc3339(question.since),
        "until": rfc3339(question.until) if isfinite(question.until) else None,
        "by": list(question.by),
        "rows": [dict(zip(question.by, names, strict=True)) | _numbers(sums) for names, sums in groups],
        "total": _numbers(total(groups)),
    }


def as_csv(question: Question, groups: Sequence[Group]) -> str:
    """A line for each group, without totals; costs have a column for each currency."""
    currencies = sorted({DOLLARS, *total(groups).cost})
    plain = [name for name in _numbers(Sums()) if name != "cost"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*question.by, *plain, *(f"cost_{name.lower()}" for name in currencies)])
    for names, sums in groups:
        numbers = _numbers(sums)
        costs = (sums.cost.get(name, "") for name in currencies)
        writer.writerow([*map(_cell, names), *(numbers[name] for name in plain), *costs])
    return text.getvalue()


def _numbers(sums: Sums) -> dict[str, Any]:
    return {
        "requests": sums.requests,
        "errors": sums.errors,
        "error_share": round(sums.error_share, 4),
        "prompt_tokens": sums.prompt,
        "cached_tokens": sums.cached,
        "completion_tokens": sums.completion,
        "reasoning_tokens": sums.reasoning,
        "total_tokens": sums.tokens,
        "estimated_requests": sums.estimated,
        "unpriced_requests": sums.unpriced,
        "cost": {name: round(amount, 8) for name, amount in sums.cost.items()},
        "first_byte_ms": _mean_ms(sums.first_byte_s, sums.first_bytes),
        "duration_ms": _mean_ms(sums.duration_s, sums.requests),
    }


def _mean_ms(seconds: float, count: int) -> float | None:
    return round(seconds / count * 1000, 1) if count else None


def _cell(text: str) -> str:
    """Names come from strangers: none becomes a formula of a spreadsheet."""
    clean = printable(text)
    return f"'{clean}" if clean.startswith(_FORMULA) else clean
