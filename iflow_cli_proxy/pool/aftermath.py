"""What comes of a lease that went well or wrong: for the account, its models, its breakers and its host.

Knows which of them hears what. Refuses to know what an error means (`outcome.py`) and who is leased next (`pool.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from iflow_cli_proxy.core.errors import Blame, GatewayError
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.lease import Lease
from iflow_cli_proxy.pool.outcome import Outcome, effect_of
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.standing import Gate


def settle(lease: Lease, outcome: Outcome) -> None:
    """What really went out counts, and not what was thought."""
    if outcome.is_unsent:
        lease.standing.correct(lease.model, lease.taken_at, -1, -lease.tokens)
    elif outcome.tokens and outcome.tokens != lease.tokens:
        lease.standing.correct(lease.model, lease.taken_at, 0, outcome.tokens - lease.tokens)


def learn(lease: Lease, outcome: Outcome, now: float) -> None:
    """The settings' own limits hold whatever an upstream says."""
    account, standing = lease.account, lease.standing
    units = [unit for unit, limit in (("requests", account.rpm), ("tokens", account.tpm)) if not limit]
    standing.way(lease.model).pace.learn(outcome.headers, now, units)  # type: ignore[arg-type]
    standing.note_state()


def went_well(lease: Lease, now: float, rules: PoolRules) -> None:
    standing = lease.standing
    standing.failures_in_a_row, standing.last_error = 0, ""
    standing.breaker(lease.model, rules).went_well(lease.ticket, now, rules.breaker)
    lease.host.went_well(lease.ticket, now, rules.breaker)
    standing.way(lease.model).went_well(lease.ticket, now)
    if standing.is_troubled:
        pass_gates(lease, now, rules)


def pass_gates(lease: Lease, now: float, rules: PoolRules) -> None:
    """A good answer, for what was in its way."""
    for gate in tuple(_gates(lease)):
        if isinstance(gate, Breaker):
            gate.went_well(lease.ticket, now, rules.breaker)
        else:
            gate.went_well(lease.ticket, now)
    lease.standing.note_state()


def went_wrong(
    lease: Lease, error: GatewayError, now: float, rules: PoolRules, chance: Callable[[], float], on_host: int
) -> None:
    """`on_host` is how many requests run there now."""
    standing, effect = lease.standing, effect_of(error)
    if error.blame in (Blame.ACCOUNT, Blame.UPSTREAM):
        standing.failures_in_a_row += 1
        standing.last_error = error.kind
    is_fault = effect.is_fault
    if effect.host == "fails":
        is_fault = standing.note_lost(now, lease.host)
        lease.host.went_wrong(lease.ticket, now, rules.breaker, chance, on_host)
    elif effect.host == "lives":
        lease.host.went_well(lease.ticket, now, rules.breaker)
    if is_fault:
        running = standing.in_flight
        standing.breaker(lease.model, rules).went_wrong(lease.ticket, now, rules.breaker, chance, running)
        standing.way(lease.model).went_wrong(lease.ticket, now, standing.id, rules, chance(), running)
    if effect.rest is not None and not (effect.needs_hint and error.retry_after_s is None):
        way = standing.way("" if effect.is_whole_account else lease.model)
        if effect.rest is RestReason.RATE and error.retry_after_s is None:
            way.pace.was_refused(now)
        way.was_told_to_rest(effect.rest, error, now, standing.id, rules, chance())
    if is_fault or effect.rest is not None:
        standing.note_state()


def release(lease: Lease) -> None:
    """A trial is over, with a verdict or without."""
    lease.host.release(lease.ticket)
    lease.standing.release(lease.ticket, lease.model)


def _gates(lease: Lease) -> Iterator[Gate]:
    """Its own host's breaker, and what stands before the model."""
    if not lease.host.is_closed:
        yield lease.host
    yield from lease.standing.own_gates(lease.model)
