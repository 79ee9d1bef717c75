"""What is true of a server at this moment, as `/metrics` tells it. Made when somebody looks; requests pay nothing."""

from __future__ import annotations

from collections import Counter

from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.pool.standing import host_of
from iflow_cli_proxy.server.account_rows import account_rows
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.telemetry.vitals import Counts, Vitals

_STATES = ("closed", "open", "half_open")


def vitals_of(state: ServerState) -> Vitals:
    """Belongs to the event loop."""
    turnstile, ledger = state.gateway.current.turnstile, state.ledger_health()
    now = state.clock.monotonic()
    return Vitals(
        is_accepting=state.is_accepting and not state.is_draining,
        in_flight=len(state.in_flight),
        queue=turnstile.waiting,
        connections=state.connections(),
        accounts=_accounts(state),
        breakers=_breakers(turnstile.pool, now),
        model_breakers=_model_breakers(turnstile.pool),
        refreshes=dict(state.accounts.refresher.outcomes),
        ledger_waiting=ledger.waiting,
        ledger_dropped=ledger.dropped,
        log_lines_lost=state.lost_log_lines(),
    )


def _accounts(state: ServerState) -> Counts:
    """How many there are of each provider in each state, in the words of `/debug/accounts`."""
    return Counter((row["provider"], row["state"]) for row in account_rows(state))


def _breakers(pool: AccountPool, now: float) -> Counts:
    """For each host 1 in the state it is in, so that an alert sees the 0 too. No host tells a password."""
    found: dict[tuple[str, ...], int] = {}
    for standing in pool.standings():
        host = host_of(standing.account).rpartition("@")[2]
        breaker = standing.host
        is_in = "closed" if breaker.is_closed else "open" if breaker.until > now else "half_open"
        found |= {(host, word): int(word == is_in) for word in _STATES}
    return found


def _model_breakers(pool: AccountPool) -> Counts:
    """Open ones by provider; 0 where an account has none."""
    found: Counter[tuple[str, ...]] = Counter()
    for standing in pool.standings():
        found[(standing.account.provider,)] += sum(1 for name in standing.open_breakers() if name != "host")
    return found
