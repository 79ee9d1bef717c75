"""Flights for tests: documents as the recorder writes them, ledgers that hold some, and what a ledger holds."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.state.flight_queries import TABLES, Found, find
from iflow_cli_proxy.state.ledger_file import open_reader, open_writer
from iflow_cli_proxy.state.ledger_row import Row
from tests.support.ledgers import request_ids


def part(**fields: Any) -> dict[str, Any]:
    """One side of a flight."""
    return {"headers": {}, "bytes": 0, "fields": [], "body": None, "cut": False, **fields}


def attempt(**fields: Any) -> dict[str, Any]:
    usual = {
        "n": 1,
        "account": "work",
        "route": "iflow/glm-5",
        "url": "http://up.test/v1/chat/completions",
        "status": 200,
        "error_kind": "",
        "message": "",
        "detail": "",
        "started_s": 0.0,
        "headers_s": 0.2,
        "first_content_s": 0.3,
        "ended_s": 1.0,
        "retry": "",
    }
    return {**usual, **fields}


def flight(*attempts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The document of an exchange; with an upstream side for each attempt."""
    tried = [*attempts] or [attempt()]
    usual = {
        "route": {
            "asked": "glm-5",
            "alias": None,
            "routes": ["iflow/glm-5"],
            "strategy": "least_busy",
            "session": False,
            "notes": [],
        },
        "attempts": tried,
        "notes": [],
        "repairs": 0,
        "error": None,
        "client_request": {"method": "POST", "path": "/v1/chat/completions", "query": {}, **part()},
        "upstream_request": [{"method": "POST", "url": "u", "protocol": "openai_chat", **part()} for _ in tried],
        "upstream_reply": [{"status": one["status"], **part()} for one in tried],
        "client_reply": {"status": 200, **part()},
        "gaps": None,
    }
    return {**usual, **fields}


def record(path: Path, flown: Iterable[tuple[Row, dict[str, Any] | None]]) -> None:
    """Write rows and their flights, as a gateway that has ended did."""
    rows = [*flown]
    with closing(open_writer(path)) as file:
        documents = {number: jsonx.encode(one) for number, (_, one) in enumerate(rows) if one is not None}
        file.write([(number, row) for number, (row, _) in enumerate(rows)], documents)


def kept(path: Path) -> list[Found]:
    """What a ledger holds, the oldest first; of a request id that was used twice the last one."""
    connection = open_reader(path, oldest=TABLES)
    assert connection is not None
    with closing(connection):
        found = [find(connection, name) for name in request_ids(path)]
    return [one for one in found if one is not None]
