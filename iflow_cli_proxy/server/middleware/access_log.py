"""One line for each request, whatever became of it; and whoever keeps a record is told of every question.

A question is what comes to a route that answers prompts, also one that was refused before anybody read it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from iflow_cli_proxy.config.safety import are_keys_required
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.admin.paths import is_admin
from iflow_cli_proxy.server.flights import begin_flight
from iflow_cli_proxy.server.keys import EXCHANGE, METRICS_PATH, QUESTIONS, STATE
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.telemetry.formats import FIELDS
from iflow_cli_proxy.wiring.known import KEY_LIKE_ID

_LOG: Final = logging.getLogger("iflow2api.access")
_WATCHED: Final = frozenset({"/health", "/ready", METRICS_PATH, "/debug/live"})
"""Asked every few seconds by whoever watches, which would bury everything else."""


@web.middleware
async def log_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    state = request.app[STATE]
    exchange = request[EXCHANGE]
    protocol = request.app[QUESTIONS].get(request.match_info.handler)
    exchange.protocol = protocol or exchange.protocol
    if protocol:
        exchange.flight = begin_flight(request, state.settings.current)
    if protocol and state.tracing is not None:
        exchange.trace = state.tracing.begin(request)
    status = 0
    try:
        response = await handler(request)
        status = response.status
        return response
    finally:
        # A client may leave once it has its whole answer, before the upstream has ended its side.
        exchange.status = status = status or exchange.status
        if not status:
            exchange.leave()
            status = exchange.status
        if protocol and not _is_somebodys(request, exchange, state):
            state.metrics.count_stranger(protocol)
        elif protocol:
            for observe in state.observers:
                try:
                    observe(exchange)
                except Exception:
                    _LOG.exception("an observer of exchanges failed")
        level = logging.DEBUG if status < 400 and _is_a_look(request) else logging.INFO
        if state.settings.current.server.access_log and _LOG.isEnabledFor(level):
            duration_s = state.clock.monotonic() - exchange.started_at
            fields = {"request_id": exchange.request_id, "ms": round(duration_s * 1000, 1), **_facts(exchange)}
            path = _path(request, state)
            _LOG.log(level, "%s %s %d", request.method, path, status, extra={FIELDS: fields})


def _is_a_look(request: web.Request) -> bool:
    """Somebody watches or reads the admin page, whose files alone are fifty lines and would bury everything else."""
    return request.method in ("GET", "HEAD") and (request.path in _WATCHED or is_admin(request.path))


def _is_somebodys(request: web.Request, exchange: Exchange, state: ServerState) -> bool:
    """Where a key or a session is needed, strangers who knock leave nothing behind but a line in the log."""
    is_open = not are_keys_required(state.settings.current) and not is_admin(request.path)
    return bool(exchange.client) or is_open


def _path(request: web.Request, state: ServerState) -> str:
    """What was asked for; ids of accounts stand in paths, and where they are taken for keys they are none of a log's
    business."""
    path = request.path
    if state.settings.current.auth.accept_account_ids:
        path = KEY_LIKE_ID.sub("{id}", path)
    return path[:200]


def _facts(exchange: Exchange) -> dict[str, Any]:
    if not exchange.asked:
        return {"error": exchange.error_kind}
    return {
        "model": exchange.asked,
        "route": exchange.route,
        "account": exchange.account,
        "client": exchange.client,
        "stream": exchange.is_stream,
        "attempts": len(exchange.attempts),
        "error": exchange.error_kind,
        **_tokens(exchange.usage),
        **({"tokens_beside": exchange.usage_beside.total} if exchange.requests_beside else {}),
        "first_byte_ms": None if exchange.first_byte_s is None else round(exchange.first_byte_s * 1000, 1),
    }


def _tokens(usage: Usage | None) -> dict[str, Any]:
    """The counts; where the upstream reported none, what came out is estimated and what went in is not known."""
    if usage is None:
        return {"prompt_tokens": None, "completion_tokens": None}
    if usage.is_estimated:
        return {"prompt_tokens": None, "completion_tokens": usage.completion, "tokens_estimated": True}
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion}
