"""`/admin/live`, `/admin/server/start` and `stop`, `/admin/logs`, `/admin/lang`: the server as a whole."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest, NotFound
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.language import ENGLISH, LANGUAGES, page_texts
from iflow_cli_proxy.server.admin.query import number_in, word_in
from iflow_cli_proxy.server.admin.sign_in import Nothing
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.server.live import snapshot

_LEVELS: Final = ("debug", "info", "warning", "error")
_MOST_LINES: Final = 2000
_USUAL_LINES: Final = 500


async def show_live(visit: Visit) -> Json:
    return snapshot(visit.state)


async def start(visit: Visit) -> Json:
    return await _accept(visit, True)


async def stop(visit: Visit) -> Json:
    """New prompts are refused from now on; those under way go on, and so does the page."""
    return await _accept(visit, False)


async def show_logs(visit: Visit) -> Json:
    query = visit.request.query
    page = visit.state.log_lines.after(
        number_in(query, "after", usual=0, most=1 << 62),
        level=word_in(query, "level", _LEVELS, usual="debug"),
        limit=number_in(query, "limit", usual=_USUAL_LINES, most=_MOST_LINES, least=1),
    )
    return {"lines": list(page.lines), "next": page.next, "lost": visit.state.lost_log_lines()}


async def show_texts(visit: Visit) -> Json:
    """What the page says, by its English."""
    language = visit.request.match_info["language"]
    if language not in LANGUAGES or language == ENGLISH:
        raise NotFound("There is no such language.")
    return dict(page_texts(language))


async def _accept(visit: Visit, is_accepting: bool) -> Json:
    await visit.body(Nothing)
    if visit.state.is_draining:
        raise InvalidRequest("The gateway is about to end.", status=409, code="draining")
    if visit.state.is_accepting is not is_accepting:
        visit.state.is_accepting = is_accepting
        visit.note("requests are taken again" if is_accepting else "no requests are taken from now on")
    return {"accepting": is_accepting}
