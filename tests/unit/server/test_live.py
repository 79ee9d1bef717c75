"""The snapshot: shape, figures and order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Unreachable
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.server import live
from iflow_cli_proxy.server.live import snapshot
from iflow_cli_proxy.server.state import ServerState
from tests.support.exchanges import PROVIDER
from tests.support.fake_clock import FakeClock
from tests.support.shell import shell_state


class Answer:
    """As much of a ClientAnswer as is looked at."""

    def __init__(self, **fields: Any) -> None:
        self.exchange = Exchange(**{"request_id": "req_1", "protocol": "openai_chat", "started_at": 0.0, **fields})


class Spoken:
    characters = 400
    is_thinking = False


def shown(state: ServerState, *answers: Answer) -> dict[str, Any]:
    state.answers = {*answers}  # type: ignore[arg-type]
    found: dict[str, Any] = jsonx.decode(jsonx.encode(snapshot(state)))
    return found


def clock_of(state: ServerState) -> FakeClock:
    assert isinstance(state.clock, FakeClock)
    return state.clock


async def test_a_server_at_rest() -> None:
    state = shell_state()
    clock_of(state).advance(12.5)
    found = shown(state)

    assert instant(found.pop("at")) == state.clock.now()
    assert found == {
        "version": __version__,
        "uptime_s": 12.5,
        "accepting": True,
        "draining": False,
        "totals": {"requests": 0, "errors": 0, "tokens": 0},
        "minute": {
            "requests": 0,
            "errors": 0,
            "error_rate": 0.0,
            "tokens": 0,
            "tokens_per_s": 0.0,
            "first_byte_p50_s": None,
            "first_byte_p95_s": None,
            "errors_by_kind": {},
        },
        "history": [{"requests": 0, "errors": 0, "tokens": 0}] * 60,
        "queue": 0,
        "in_flight_total": 0,
        "in_flight": [],
        "accounts": [],
        "breakers": [],
    }


async def test_what_has_ended_is_counted() -> None:
    state = shell_state()
    clock_of(state).advance(20)
    good = Answer(status=200, usage=Usage(prompt=100, completion=100), first_byte_s=0.25).exchange
    bad = Answer(status=503, error_kind="overloaded").exchange
    for exchange in (good, bad):
        state.tally.note(exchange)
    found = shown(state)

    assert found["totals"] == {"requests": 2, "errors": 1, "tokens": 200}
    assert found["minute"] == {
        "requests": 2,
        "errors": 1,
        "error_rate": 0.5,
        "tokens": 200,
        "tokens_per_s": 10.0,
        "first_byte_p50_s": 0.25,
        "first_byte_p95_s": 0.25,
        "errors_by_kind": {"overloaded": 1},
    }
    assert found["history"][-1] == {"requests": 2, "errors": 1, "tokens": 200}


async def test_a_request_that_speaks_tells_how_fast() -> None:
    state = shell_state()
    clock_of(state).advance(7.0)
    speaking = Answer(
        request_id="req_9",
        started_at=1.0,
        asked="glm-5",
        route="iflow/glm-5",
        account="work",
        client="alice",
        is_stream=True,
        first_byte_s=1.0,
        progress=Spoken(),
        attempts=[AttemptRecord(account="other", route="iflow/glm-5", error_kind="overloaded")],
    )
    assert shown(state, speaking)["in_flight"] == [
        {
            "id": "req_9",
            "protocol": "openai_chat",
            "model": "glm-5",
            "route": "iflow/glm-5",
            "account": "work",
            "key": "alice",
            "phase": "streaming",
            "age_s": 6.0,
            "tokens": 100,
            "tokens_per_s": 20.0,
            "attempts": 2,
            "stream": True,
        }
    ]


async def test_the_oldest_come_first_and_a_crowd_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_SHOWN", 2)
    state = shell_state()
    found = shown(state, *(Answer(request_id=f"req_{at}", started_at=float(-at)) for at in range(5)))

    assert found["in_flight_total"] == 5
    assert [one["id"] for one in found["in_flight"]] == ["req_4", "req_3"]


async def test_an_answer_that_has_just_begun_is_not_measured_by_a_moment() -> None:
    state = shell_state()
    clock_of(state).advance(0.01)
    [row] = shown(state, Answer(progress=Spoken(), first_byte_s=0.009))["in_flight"]
    assert row["tokens_per_s"] == 100.0


async def test_a_waiting_request_is_at_its_first_try_and_a_queued_one_at_none() -> None:
    state = shell_state()
    waiting, queued = Answer(is_asking=True, started_at=-1.0), Answer()
    rows = shown(state, waiting, queued)["in_flight"]
    assert [(row["phase"], row["attempts"], row["tokens"]) for row in rows] == [("waiting", 1, 0), ("queued", 0, 0)]


async def test_a_whole_answer_on_its_way_has_the_tokens_that_were_counted() -> None:
    done = Answer(
        first_byte_s=0.5, usage=Usage(prompt=9, completion=44), attempts=[AttemptRecord(account="a", route="r")]
    )
    [row] = shown(shell_state(), done)["in_flight"]
    assert (row["phase"], row["tokens"], row["attempts"]) == ("streaming", 44, 1)


async def test_a_server_that_takes_nothing_new_says_so() -> None:
    state = shell_state()
    state.is_accepting = False
    assert (shown(state)["accepting"], shown(state)["draining"]) == (False, False)
    state.is_accepting, state.is_draining = True, True
    assert (shown(state)["accepting"], shown(state)["draining"]) == (False, True)


async def test_a_host_that_cannot_be_reached_is_told_until_it_is_well() -> None:
    state = shell_state(accounts=2)
    pool = state.gateway.current.turnstile.pool
    for _ in range(5):
        lease = pool.take(Wish(provider=PROVIDER, model="m"), 0.0)
        assert isinstance(lease, Lease)
        pool.give_back(lease, Outcome(error=Unreachable("Nobody there.")), 0.0)

    [told] = shown(state)["breakers"]
    left_s = told.pop("seconds_left")
    assert told == {"host": PROVIDER, "provider": PROVIDER, "state": "open"}
    assert 3 < left_s < 7
    clock_of(state).advance(10)
    assert shown(state)["breakers"] == [
        {"host": PROVIDER, "provider": PROVIDER, "state": "half_open", "seconds_left": 0.0}
    ]


async def test_who_waits_for_an_account_is_counted() -> None:
    state = shell_state(concurrency=1)
    turnstile = state.gateway.current.turnstile
    wish = Wish(provider=PROVIDER, model="m")
    lease = await turnstile.enter(wish)
    waiting = asyncio.create_task(turnstile.enter(wish))
    await asyncio.sleep(0)
    assert shown(state)["queue"] == 1
    turnstile.leave(lease, Outcome(is_success=True))
    turnstile.leave(await waiting, Outcome(is_success=True))
