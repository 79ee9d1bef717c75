"""Looking for rows of the ledger by words: for lists that people leaf through (RELIABILITY I48).

What is looked for is bound to the question and never becomes a part of it; `%` and `_` mean themselves. Takes a
connection of `open_reader`; raises StateError when the file cannot be read.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.state.ledger_queries import FAILED, ask
from iflow_cli_proxy.state.ledger_row import COLUMNS, Row, row_from

_FOUND: Final = f"SELECT id, {', '.join(COLUMNS)} FROM exchanges"
_LIKE: Final = "{} LIKE ? ESCAPE '\\'"
_ACCOUNT: Final = "provider || '/' || account"
_SEARCHED: Final = ("request_id", "model_asked", "model_served", _ACCOUNT, "client", "error_kind", "protocol")


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is empty does not matter. Words may stand anywhere in a name, in capital letters or small ones."""

    text: str = ""
    """In any of the names."""
    model: str = ""
    key: str = ""
    account: str = ""
    """In `provider/label`."""
    only_failed: bool = False
    before: int = 0
    """Older than the row of this cursor; 0 begins at the newest."""
    most: int = 50


def search(connection: sqlite3.Connection, wish: Search) -> list[tuple[int, Row]]:
    """Rows with their cursors, in the order they were written, the newest first."""
    conditions, parameters = _conditions(wish)
    which = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"{_FOUND}{which} ORDER BY id DESC LIMIT ?"
    return [(cursor, row_from(columns)) for cursor, *columns in ask(connection, sql, (*parameters, wish.most))]


def _conditions(wish: Search) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    parameters: list[Any] = []
    if wish.before:
        conditions.append("id < ?")
        parameters.append(wish.before)
    if wish.only_failed:
        conditions.append(FAILED)
    for words, columns in (
        (wish.model, ("model_asked", "model_served")),
        (wish.key, ("client",)),
        (wish.account, (_ACCOUNT,)),
        (wish.text, _SEARCHED),
    ):
        if words:
            conditions.append(f"({' OR '.join(map(_LIKE.format, columns))})")
            parameters += [_anywhere(words)] * len(columns)
    return conditions, parameters


def _anywhere(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped.encode('utf-8', 'replace').decode()}%"
