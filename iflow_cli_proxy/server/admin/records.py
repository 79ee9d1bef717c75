"""`/admin/usage` and `/admin/requests`: what the ledger knows of many exchanges and of one."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.ledger import ask_ledger
from iflow_cli_proxy.server.admin.query import flag_in, number_in, text_in
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.state import flight_queries
from iflow_cli_proxy.state.ledger_queries import Group, sums_by
from iflow_cli_proxy.state.ledger_question import question_from
from iflow_cli_proxy.state.ledger_row import Row, as_json
from iflow_cli_proxy.state.ledger_search import Search, search
from iflow_cli_proxy.state.ledger_shapes import usage_json

_USUAL_ROWS: Final = 50
_MOST_ROWS: Final = 500
_LARGEST_CURSOR: Final = (1 << 63) - 1
_NO_GROUPS: Final[list[Group]] = []
_NO_ROWS: Final[list[tuple[int, Row]]] = []


async def show_usage(visit: Visit) -> Json:
    """Sums in the shape of `usage --json`; days are those of this machine's zone."""
    query = visit.request.query
    question = question_from(
        text_in(query, "by") or "day",
        text_in(query, "since") or "7d",
        text_in(query, "until"),
        visit.state.clock.now(),
    )
    groups = await ask_ledger(
        visit.desk.services.ledger_file,
        lambda connection: sums_by(connection, question.by, question.since, question.until, is_local=True),
        nothing=_NO_GROUPS,
    )
    return usage_json(question, groups)


async def list_requests(visit: Visit) -> Json:
    """A page of rows, the newest first; `next` is the cursor of what follows."""
    query = visit.request.query
    most = number_in(query, "limit", usual=_USUAL_ROWS, most=_MOST_ROWS, least=1)
    wish = Search(
        text=text_in(query, "q"),
        model=text_in(query, "model"),
        key=text_in(query, "key"),
        account=text_in(query, "account"),
        only_failed=flag_in(query, "failed"),
        before=number_in(query, "before", usual=0, most=_LARGEST_CURSOR),
        most=most + 1,
    )
    found = await ask_ledger(
        visit.desk.services.ledger_file, lambda connection: search(connection, wish), nothing=_NO_ROWS
    )
    shown = found[:most]
    return {
        "requests": [{**as_json(row), "cursor": cursor} for cursor, row in shown],
        "next": shown[-1][0] if len(found) > most else None,
    }


async def show_request(visit: Visit) -> Json:
    """One exchange, with how it went where that was recorded: the shape of `explain --json`."""
    request_id = visit.request.match_info["id"]
    found = await ask_ledger(
        visit.desk.services.ledger_file,
        lambda connection: flight_queries.find(connection, request_id),
        nothing=None,
        oldest=flight_queries.TABLES,
    )
    if found is None:
        raise NotFound("No such request was recorded.", hint="requests are recorded when they have ended")
    return found.as_json()
