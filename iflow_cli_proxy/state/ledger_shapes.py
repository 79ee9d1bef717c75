"""What the ledger says, in shapes of JSON that programs can rely on: sums of many exchanges, and of one day.

Times are means in milliseconds, null for none. Refuses to know who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.state.ledger_queries import Group, Sums, total
from iflow_cli_proxy.state.ledger_question import Question


def usage_json(question: Question, groups: Sequence[Group]) -> dict[str, Any]:
    return {
        "since": rfc3339(question.since),
        "until": rfc3339(question.until) if isfinite(question.until) else None,
        "by": list(question.by),
        "rows": [dict(zip(question.by, names, strict=True)) | numbers(sums) for names, sums in groups],
        "total": numbers(total(groups)),
    }


def numbers(sums: Sums) -> dict[str, Any]:
    """Everything that is counted."""
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


def short_json(sums: Sums) -> dict[str, Any]:
    """What fits beside a name in a list; costs by currency."""
    return {
        "requests": sums.requests,
        "errors": sums.errors,
        "tokens": sums.tokens,
        "cost": {name: round(amount, 8) for name, amount in sums.cost.items()},
    }
