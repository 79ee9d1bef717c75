"""One exchange as the ledger keeps it: the value, its columns, and the way from one to the other.

Refuses to know exchanges of the gateway and the database; whatever strangers wrote (the name of a model) is cut and
cleaned here, so that no row can stand in the way of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json

Value: TypeAlias = str | int | float | None

_LONGEST_TEXT: Final = 200
_MOST_ATTEMPTS: Final = 50
_LARGEST: Final = 2**63 - 1

COLUMNS: Final = (
    "request_id", "at", "client", "account", "provider", "model_asked", "model_served", "protocol", "stream", "status",
    "error_kind", "attempts", "attempt_list", "prompt", "cached", "completion", "reasoning", "estimated", "bytes_in",
    "bytes_out", "first_byte_s", "duration_s", "overhead_s", "cost", "currency",
)  # fmt: skip
"""Of the table, in the order of `values` and `row_from`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try: which account, where, and what became of it; `error_kind` is empty when it was good."""

    account: str
    route: str
    error_kind: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One exchange. `at` is the moment it ended in epoch seconds; names are empty where there is none."""

    request_id: str
    at: float
    client: str = ""
    """The name of the client key."""
    account: str = ""
    """Its label."""
    provider: str = ""
    model_asked: str = ""
    model_served: str = ""
    protocol: str = ""
    is_stream: bool = False
    status: int = 0
    error_kind: str = ""
    attempts: tuple[Attempt, ...] = ()
    prompt: int = 0
    """Tokens, those `cached` among them."""
    cached: int = 0
    completion: int = 0
    """Tokens, those of `reasoning` among them."""
    reasoning: int = 0
    is_estimated: bool = False
    """The upstream did not count, or nobody was there to hear it."""
    bytes_in: int = 0
    bytes_out: int = 0
    first_byte_s: float | None = None
    duration_s: float = 0.0
    overhead_s: float | None = None
    """Time of ours until the first byte."""
    cost: float | None = None
    """None where no price is known."""
    currency: str = ""


def values(row: Row) -> tuple[Value, ...]:
    """What is bound to the columns."""
    attempts = row.attempts[:_MOST_ATTEMPTS]
    told = [[_text(one.account), _text(one.route), one.error_kind, round(one.duration_s, 3)] for one in attempts]
    return (
        _text(row.request_id),
        row.at,
        _text(row.client),
        _text(row.account),
        _text(row.provider),
        _text(row.model_asked),
        _text(row.model_served),
        row.protocol,
        int(row.is_stream),
        row.status,
        row.error_kind,
        len(row.attempts),
        jsonx.encode(told).decode(),
        _count(row.prompt),
        _count(row.cached),
        _count(row.completion),
        _count(row.reasoning),
        int(row.is_estimated),
        _count(row.bytes_in),
        _count(row.bytes_out),
        row.first_byte_s,
        row.duration_s,
        row.overhead_s,
        row.cost,
        row.currency,
    )


def as_json(row: Row) -> dict[str, Json]:
    """A row as other programs read it: `explain --json`, the request log."""
    return {
        "id": row.request_id,
        "at": rfc3339(row.at, is_exact=True),
        "key": row.client,
        "account": row.account,
        "provider": row.provider,
        "model_asked": row.model_asked,
        "model_served": row.model_served,
        "protocol": row.protocol,
        "stream": row.is_stream,
        "status": row.status,
        "error_kind": row.error_kind,
        "attempts": len(row.attempts),
        "prompt": row.prompt,
        "cached": row.cached,
        "completion": row.completion,
        "reasoning": row.reasoning,
        "estimated": row.is_estimated,
        "cost": row.cost,
        "currency": row.currency,
        "first_byte_s": row.first_byte_s,
        "duration_s": row.duration_s,
        "overhead_s": row.overhead_s,
        "bytes_in": row.bytes_in,
        "bytes_out": row.bytes_out,
    }


def row_from(columns: Sequence[Any]) -> Row:
    """The row that `values` made these of."""
    fields = dict(zip(COLUMNS, columns, strict=True))
    told = jsonx.decode(fields.pop("attempt_list"))
    fields["attempts"] = tuple(
        Attempt(account=account, route=route, error_kind=kind, duration_s=duration_s)
        for account, route, kind, duration_s in told
    )
    fields["is_stream"] = bool(fields.pop("stream"))
    fields["is_estimated"] = bool(fields.pop("estimated"))
    return Row(**fields)


def _text(text: str) -> str:
    """Half a surrogate pair is a text to Python and none to a database."""
    return text[:_LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")


def _count(number: int) -> int:
    return min(max(number, 0), _LARGEST)
