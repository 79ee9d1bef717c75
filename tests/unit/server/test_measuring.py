from __future__ import annotations

from dataclasses import replace

from iflow_cli_proxy.core.errors import Failing, GatewayError, Unreachable
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.server.measuring import vitals_of
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.state.ledger import Health
from tests.support.exchanges import PROVIDER
from tests.support.fake_clock import FakeClock
from tests.support.shell import shell_state


def server(accounts: int = 1) -> ServerState:
    state = shell_state(accounts=accounts)
    state.gateway.current.turnstile.now = state.clock.monotonic
    return state


def fails(state: ServerState, error: GatewayError, model: str) -> None:
    turnstile = state.gateway.current.turnstile
    lease = turnstile.pool.take(Wish(provider=PROVIDER, model=model), turnstile.now())
    assert isinstance(lease, Lease)
    turnstile.leave(lease, Outcome(error=error))


def test_a_server_at_rest() -> None:
    vitals = vitals_of(server())

    assert (vitals.in_flight, vitals.queue, vitals.connections) == (0, 0, 0)
    assert sum(vitals.breakers.values()) == 1
    assert {state for (_, state), value in vitals.breakers.items() if value} == {"closed"}
    assert vitals.model_breakers == {(PROVIDER,): 0}


def test_what_the_server_hands_over_is_told() -> None:
    state = server()
    state.ledger_health = lambda: Health(waiting=3, dropped=4)
    state.lost_log_lines = lambda: 5
    state.connections = lambda: 6
    state.accounts.refresher.outcomes["qwen", "ok"] += 2

    vitals = vitals_of(state)

    assert (vitals.ledger_waiting, vitals.ledger_dropped) == (3, 4)
    assert (vitals.log_lines_lost, vitals.connections) == (5, 6)
    assert vitals.refreshes == {("qwen", "ok"): 2}


def test_whether_work_is_taken_is_told() -> None:
    state = server()
    taken = vitals_of(state).is_accepting
    state.is_draining = True

    assert (taken, vitals_of(state).is_accepting) == (True, False)


def open_states(state: ServerState) -> set[str]:
    return {word for (_, word), value in vitals_of(state).breakers.items() if value}


def test_a_breaker_of_a_family_of_models_is_told_while_it_is_open() -> None:
    state = server()
    for number in range(5):
        fails(state, Failing("Broken."), f"glm-{number}")

    assert vitals_of(state).model_breakers == {(PROVIDER,): 1}
    assert open_states(state) == {"closed"}


def test_a_host_that_is_down_is_open_and_then_half_open() -> None:
    state = server(5)
    for number in range(5):
        fails(state, Unreachable("No connection."), f"glm-{number}")

    assert open_states(state) == {"open"}
    assert isinstance(state.clock, FakeClock)
    state.clock.advance(60)
    assert open_states(state) == {"half_open"}


def test_no_password_of_an_address_is_told() -> None:
    state = server()
    pool = state.gateway.current.turnstile.pool
    pool.replace([replace(one.account, base_url="http://me:hunter2@up.test/v1") for one in pool.standings()])

    assert {host for host, _ in vitals_of(state).breakers} == {"up.test"}
