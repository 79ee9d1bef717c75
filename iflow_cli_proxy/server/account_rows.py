"""How each account fares, as rows of JSON: one answer for `/debug/accounts`, the live snapshot and the admin page.

No row holds a secret. Where the ids of accounts are taken for client keys they are secrets too, and are left out.
"""

from __future__ import annotations

from math import inf

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.rest import Rest, next_step
from iflow_cli_proxy.pool.standing import Standing
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.wiring.known import KnownAccount, state_word


def account_rows(state: ServerState) -> list[Json]:
    """Every account that is known, those included that are not in use."""
    pool = state.gateway.current.turnstile.pool
    standings = {standing.id: standing for standing in pool.standings()}
    rests: dict[str, list[Rest]] = {}
    for account_id, rest in pool.rests(state.clock.monotonic()):
        rests.setdefault(account_id, []).append(rest)
    return [
        _row(state, one, standings.get(one.saved.id), rests.get(one.saved.id, []))
        for one in state.accounts.last_known()
    ]


def _row(state: ServerState, one: KnownAccount, standing: Standing | None, rests: list[Rest]) -> dict[str, Json]:
    saved, now = one.saved, state.clock.now()
    word = state_word(one, now)
    ends_at = saved.bearer_expires_at
    row: dict[str, Json] = {
        "provider": saved.provider,
        "label": saved.label,
        "state": "cooling" if word == "ok" and any(not rest.model for rest in rests) else word,
        "in_use": standing is not None,
        "credential": str(standing.account.api_key if standing is not None else saved.bearer),
        "expires_at": None if ends_at == inf else rfc3339(ends_at),
        "in_flight": standing.in_flight if standing is not None else 0,
        "requests": standing.requests if standing is not None else 0,
        "failures_in_a_row": standing.failures_in_a_row if standing is not None else 0,
        "last_error": standing.last_error if standing is not None else "",
        "rests": [_rest(state, rest) for rest in rests],
        "open_breakers": list(standing.open_breakers()) if standing is not None else [],
        "paces": _paces(standing, state.clock.monotonic()) if standing is not None else [],
    }
    return row if state.settings.current.auth.accept_account_ids else {"id": saved.id, **row}


def _rest(state: ServerState, rest: Rest) -> dict[str, Json]:
    """The next step names no id: it may be a secret."""
    left_s = rest.until - state.clock.monotonic()
    return {
        "reason": rest.reason.value,
        "model": rest.model,
        "seconds_left": round(left_s, 1),
        "until": rfc3339(state.clock.now() + left_s),
        "detail": rest.detail,
        "next_step": next_step(rest.reason),
    }


def _paces(standing: Standing, now: float) -> list[Json]:
    return [{"model": model, "rpm": rpm, "tpm": tpm} for model, rpm, tpm in standing.paces(now)]
