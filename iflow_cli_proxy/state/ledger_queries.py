"""What the ledger is asked: sums by day, model, account, key and protocol, what a key has spent, and single rows.

Every function takes a connection of `open_reader` and instants in epoch seconds; `until` is the first moment that no
longer counts. Rows are in the order they were written, which a clock that jumps does not change. Raises StateError
when the file cannot be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.pool.allowance import Spent
from iflow_cli_proxy.state.ledger_file import words_for
from iflow_cli_proxy.state.ledger_row import COLUMNS, Row, row_from

By: TypeAlias = Literal["day", "model", "account", "key", "protocol", "provider"]

DOLLARS: Final = "USD"
FAILED: Final = "(error_kind <> '' OR status >= 400)"
"""Which rows are failures."""
_DAY: Final = "strftime('%Y-%m-%d', at, 'unixepoch'{zone})"
_EXPRESSIONS: Final[Mapping[str, str]] = {
    "day": _DAY,
    "model": "CASE model_served WHEN '' THEN model_asked ELSE model_served END",
    "account": "CASE account WHEN '' THEN '' ELSE provider || '/' || account END",
    "key": "client",
    "protocol": "protocol",
    "provider": "provider",
}
_SUMS: Final = (
    "count(*), sum(error_kind <> '' OR status >= 400), sum(prompt), sum(cached), sum(completion), sum(reasoning), "
    "sum(estimated), sum(cost IS NULL AND prompt + completion > 0), sum(cost), currency, "
    "sum(first_byte_s), count(first_byte_s), sum(duration_s)"
)
_SPAN: Final = "at >= ? AND at < ?"
_OF_LIVING: Final = (
    "(SELECT exchanges.* FROM exchanges LEFT JOIN json_each(?) ON key = client WHERE at >= ifnull(value, 0))"
)
_ROW: Final = f"SELECT {', '.join(COLUMNS)} FROM exchanges"


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Many exchanges together. Tokens `cached` are among those of the prompt, `reasoning` among the completion's."""

    requests: int = 0
    errors: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    estimated: int = 0
    """Exchanges whose tokens are estimates."""
    unpriced: int = 0
    """Exchanges with tokens that no price is known for: the cost is of the others."""
    cost: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By currency."""
    first_byte_s: float = 0.0
    first_bytes: int = 0
    duration_s: float = 0.0
    """Times are sums, like everything."""

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def __add__(self, other: Sums) -> Sums:
        currencies = {**self.cost, **other.cost}
        return Sums(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            prompt=self.prompt + other.prompt,
            cached=self.cached + other.cached,
            completion=self.completion + other.completion,
            reasoning=self.reasoning + other.reasoning,
            estimated=self.estimated + other.estimated,
            unpriced=self.unpriced + other.unpriced,
            cost={name: self.cost.get(name, 0.0) + other.cost.get(name, 0.0) for name in currencies},
            first_byte_s=self.first_byte_s + other.first_byte_s,
            first_bytes=self.first_bytes + other.first_bytes,
            duration_s=self.duration_s + other.duration_s,
        )


Group: TypeAlias = tuple[tuple[str, ...], Sums]


def sums_by(
    connection: sqlite3.Connection,
    by: Sequence[By],
    since: float,
    until: float = inf,
    *,
    is_local: bool = False,
    born: Mapping[str, float] | None = None,
) -> list[Group]:
    """The sums of each group in the order of their names; without `by` there is one, or none when nothing happened.

    Days are those of UTC, or of this machine's zone when `is_local`. What happened under a key's name before it was
    `born` does not count.
    """
    names = [_EXPRESSIONS[one].format(zone=", 'localtime'" if is_local else "") for one in by]
    numbers = [str(number) for number in range(1, len(by) + 1)]
    groups: dict[tuple[str, ...], Sums] = {}
    source, parameters = (_OF_LIVING, [jsonx.encode(born).decode()]) if born else ("exchanges", [])
    sql = (
        f"SELECT {', '.join([*names, _SUMS])} FROM {source} WHERE {_SPAN} "
        f"GROUP BY {', '.join([*numbers, 'currency'])} ORDER BY {', '.join([*numbers, 'currency'])}"
    )
    for found in ask(connection, sql, (*parameters, since, until)):
        key = found[: len(by)]
        groups[key] = groups.get(key, Sums()) + _sums(found[len(by) :])
    return list(groups.items())


def total(groups: Sequence[Group]) -> Sums:
    """All of them together."""
    return reduce(Sums.__add__, (sums for _, sums in groups), Sums())


def by_account(connection: sqlite3.Connection, since: float) -> dict[str, Sums]:
    """What each account did, by `provider/label`."""
    return {name: sums for (name,), sums in sums_by(connection, ("account",), since) if name}


def spent(connection: sqlite3.Connection, client: str, since: float) -> Spent:
    """What one client key has used; money counts in US dollars, which budgets are in."""
    return spent_by_key(connection, since).get(client, Spent())


def spent_by_key(
    connection: sqlite3.Connection, since: float, *, born: Mapping[str, float] | None = None
) -> dict[str, Spent]:
    """The same for every key at once, as a start needs it; a key does not pay for an earlier one of its name, so what
    ended before it was `born` is left out."""
    groups = sums_by(connection, ("key",), since, born=born)
    return {name: Spent(tokens=sums.tokens, cost=sums.cost.get(DOLLARS, 0.0)) for (name,), sums in groups if name}


def recent(connection: sqlite3.Connection, most: int, *, only_failed: bool = False) -> list[Row]:
    """The rows that were written last, the newest first."""
    which = f"WHERE {FAILED}" if only_failed else ""
    return [row_from(found) for found in ask(connection, f"{_ROW} {which} ORDER BY id DESC LIMIT ?", (most,))]


def find(connection: sqlite3.Connection, request_id: str) -> Row | None:
    """One exchange; clients may use an id twice, and then it is the last one."""
    found = ask(connection, f"{_ROW} WHERE request_id = ? ORDER BY id DESC LIMIT 1", (request_id,))
    return next((row_from(columns) for columns in found), None)


def _sums(columns: Sequence[Any]) -> Sums:
    (*counts, cost, currency, first_byte_s, first_bytes, duration_s) = columns
    requests, errors, prompt, cached, completion, reasoning, estimated, unpriced = counts
    return Sums(
        requests=requests,
        errors=errors,
        prompt=prompt,
        cached=cached,
        completion=completion,
        reasoning=reasoning,
        estimated=estimated,
        unpriced=unpriced,
        cost={} if cost is None else {currency: cost},
        first_byte_s=first_byte_s or 0.0,
        first_bytes=first_bytes,
        duration_s=duration_s,
    )


def ask(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The answer, row by row."""
    try:
        yield from connection.execute(sql, parameters)
    except sqlite3.Error as error:
        raise StateError(f"The ledger cannot be read: {words_for(error)}.") from error
