"""What is going on in a server at this moment, as one JSON value: behind `/debug/live`, `top` and the admin page.

Made when somebody looks; a request pays nothing for it but a reference. Refuses to know who may look.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import estimate_tokens
from iflow_cli_proxy.gateway.progress import Phase, phase_of
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.server.account_rows import account_rows
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.server.tally import Minute
from iflow_cli_proxy.telemetry.redact import shown_name

MOST_SHOWN: Final = 200
"""Requests in flight that are listed; `in_flight_total` counts all."""
_SHORTEST_S: Final = 1.0
"""An answer that has just begun is given this long before its speed is believed."""
_SHARES: Final = (0.5, 0.95)


def snapshot(state: ServerState) -> dict[str, Json]:
    turnstile = state.gateway.current.turnstile
    now = state.clock.monotonic()
    minute = state.tally.minute()
    running = sorted((one.exchange for one in state.answers), key=lambda exchange: exchange.started_at)
    return {
        "at": rfc3339(state.clock.now(), is_exact=True),
        "version": __version__,
        "uptime_s": round(state.tally.uptime_s, 3),
        "accepting": state.is_accepting and not state.is_draining,
        "draining": state.is_draining,
        "totals": {"requests": state.tally.requests, "errors": state.tally.errors, "tokens": state.tally.tokens},
        "minute": _minute(minute),
        "history": [{"requests": one.requests, "errors": one.errors, "tokens": one.tokens} for one in minute.seconds],
        "queue": turnstile.waiting,
        "in_flight_total": len(running),
        "in_flight": [_request(exchange, now) for exchange in running[:MOST_SHOWN]],
        "accounts": account_rows(state),
        "breakers": _breakers(turnstile.pool, now),
    }


def _minute(minute: Minute) -> dict[str, Json]:
    median, slow = minute.first_byte_s(*_SHARES)
    return {
        "requests": minute.requests,
        "errors": minute.errors,
        "error_rate": round(minute.error_rate, 4),
        "tokens": minute.tokens,
        "tokens_per_s": round(minute.tokens / minute.span_s, 1),
        "first_byte_p50_s": median if median is None else round(median, 4),
        "first_byte_p95_s": slow if slow is None else round(slow, 4),
        "errors_by_kind": minute.errors_by_kind,
    }


def _request(exchange: Exchange, now: float) -> dict[str, Json]:
    """Tokens are what came out so far, as estimated from its length."""
    phase, age_s = phase_of(exchange), now - exchange.started_at
    tokens = _tokens(exchange)
    speaking_s = max(_SHORTEST_S, age_s - (exchange.first_byte_s or 0.0))
    is_trying = phase is Phase.WAITING or exchange.progress is not None
    return {
        "id": exchange.request_id,
        "protocol": exchange.protocol,
        "model": shown_name(exchange.asked),
        "route": shown_name(exchange.route),
        "account": exchange.account,
        "key": exchange.client,
        "phase": phase.value,
        "age_s": round(age_s, 2),
        "tokens": tokens,
        "tokens_per_s": round(tokens / speaking_s, 1),
        "attempts": len(exchange.attempts) + is_trying,
        "stream": exchange.is_stream,
    }


def _tokens(exchange: Exchange) -> int:
    if exchange.progress is not None:
        return estimate_tokens(exchange.progress.characters)
    return exchange.usage.completion if exchange.usage is not None else 0


def _breakers(pool: AccountPool, now: float) -> list[Json]:
    """Of upstream hosts, those that are not closed; what an account has of its own stands in its row."""
    return [
        {
            "host": host,
            "provider": provider,
            "state": "open" if breaker.until > now else "half_open",
            "seconds_left": round(max(0.0, breaker.until - now), 1),
        }
        for host, provider, breaker in pool.open_hosts()
    ]
