"""A day in the life of a pool, simulated: many accounts, scripted trouble, and laws that hold at every moment.

The simulator keeps its own books: who has how many requests, what each upstream asked for, who is there at all. The
pool is held against those books, never against its own. Time is a number that only grows. Seeds:
`tests/support/seeds.py`.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Final

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.retry import RetryBudget
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import AccountPool, Lease
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.rules import Choosing, PoolRules, Strategy
from iflow_cli_proxy.pool.standing import Gate, Standing
from iflow_cli_proxy.pool.wish import Wish
from tests.support.seeds import for_each_seed

ACCOUNTS: Final = 50
REQUESTS: Final = 100_000
HOSTS: Final = 5
A_SECOND: Final = 45.0
"""Requests that arrive, on average."""
MODELS: Final = ("glm-5", "glm-4.7", "kimi-k2")
RULES: Final = PoolRules(longest_rest_s=400.0)
LONGEST_WAIT_S: Final = 20.0
"""Although a third of the accounts may be ill, and a fifth cut off."""
SLACK_S: Final = 60.0
"""A recovered account is lent again so soon after its rest: traffic has to come by for its trial."""
MOST_ATTEMPTS: Final = 3

GOOD: Final = Outcome(is_success=True, tokens=120)
LEFT: Final = Outcome()
MISTAKE: Final = Outcome(error=errors.InvalidRequest("no"))


@dataclass(slots=True, eq=False)
class Truth:
    """One account as its upstream knows it, and the simulator's own books about it."""

    account: Account
    host: int
    is_here: bool = True
    ails: Callable[[float], GatewayError] | None = None
    in_flight: int = 0
    asked_to_rest_until: dict[str, float] = field(default_factory=dict)
    sent: deque[float] = field(default_factory=deque)
    """When requests went out, of accounts with a limit by the minute."""
    changed_at: float = 0.0
    """When trouble of its own began or ended last."""
    used_at: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MODELS, -inf))


@dataclass(slots=True, eq=False)
class Request:
    model: str
    arrived_at: float
    tried: list[str] = field(default_factory=list)


class Simulation:
    """Events in the order of their time; after each of them, whoever can be served is."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = 0.0
        self.truths = {
            f"a{number}": Truth(
                Account(
                    id=f"a{number}", provider="p", label="", concurrency=rng.choice((2, 3, 4, 5)),
                    rpm=rng.choice((0, 0, 0, 200)), base_url=f"https://h{number % HOSTS}.example",
                ),
                number % HOSTS,
            )
            for number in range(ACCOUNTS)
        }  # fmt: skip
        self.down: set[int] = set()
        self.asked_again_at = [0.0] * HOSTS
        self.pool = AccountPool(rules=RULES, chance=rng.random)
        self._replace()
        self.budget = RetryBudget()
        self.waiting: dict[str, deque[Request]] = {model: deque() for model in MODELS}
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.counts: Counter[str] = Counter()
        self.longest_wait_s = 0.0
        self.has_traffic = True
        self._trials: dict[tuple[Gate, object], Lease] = {}
        """Which are out, by what they are a trial of: one rest, or one opening of a breaker."""
        self._wakes_at = dict.fromkeys(MODELS, inf)
        self._number = 0
        self._wishes = {model: Wish(provider="p", model=model, tokens=100) for model in MODELS}

    # --- time -----------------------------------------------------------------------------------------------------

    def at(self, moment: float, event: Callable[[], None]) -> None:
        self._number += 1
        heappush(self.events, (moment, self._number, event))

    def run(self, requests: int) -> None:
        arrival = 0.0
        for _ in range(requests):
            arrival += self.rng.expovariate(A_SECOND)
            self._run_until(arrival)
            self.now = arrival
            self.counts["requests"] += 1
            self.budget.first_attempt()
            self._join(Request(self.rng.choice(MODELS), arrival))

    def finish(self) -> None:
        self.has_traffic = False
        self._run_until(inf)

    def _run_until(self, moment: float) -> None:
        events = self.events
        while events and events[0][0] <= moment:
            self.now, _, event = heappop(events)
            event()

    # --- requests -------------------------------------------------------------------------------------------------

    def _join(self, request: Request) -> None:
        queue = self.waiting[request.model]
        queue.append(request)
        if len(queue) == 1:
            self._serve(request.model)

    def _serve_all(self) -> None:
        """Whoever came first is served first."""
        for queue in sorted(filter(None, self.waiting.values()), key=lambda queue: queue[0].arrived_at):
            self._serve(queue[0].model)

    def _serve(self, model: str) -> None:
        queue = self.waiting[model]
        while queue:
            request = queue[0]
            wish = self._wishes[model]
            if request.tried:
                wish = Wish(provider="p", model=model, tokens=100, tried=request.tried)
            lease = self.pool.take(wish, self.now)
            if not isinstance(lease, Lease):
                assert lease.until > self.now, f"asking at {lease.until} would be asking now: {lease}"
                assert lease.until < inf or any(each.in_flight for each in self.truths.values()), f"no way out: {lease}"
                self.counts["closed"] += 1
                if lease.until < self._wakes_at[model]:
                    self._wakes_at[model] = lease.until
                    self.at(lease.until, lambda: self._wake(model))
                return
            queue.popleft()
            self.longest_wait_s = max(self.longest_wait_s, self.now - request.arrived_at)
            self._start(request, lease)

    def _wake(self, model: str) -> None:
        self._wakes_at[model] = inf
        self._serve(model)

    def _start(self, request: Request, lease: Lease) -> None:
        truth, now, rng = self.truths[lease.account.id], self.now, self.rng
        self._check(truth, lease)
        truth.in_flight += 1
        truth.used_at[lease.model] = now
        self.counts["attempts"] += 1
        outcome, length_s = GOOD, rng.expovariate(1.0)
        if truth.host in self.down:
            outcome, length_s = Outcome(error=errors.Unreachable("refused")), 0.02
        elif truth.ails is not None:
            outcome, length_s = Outcome(error=truth.ails(now)), 0.1
        elif (luck := rng.random()) < 0.015:
            outcome = LEFT if luck < 0.01 else MISTAKE
        elif luck < 0.02:
            outcome = Outcome(error=errors.Failing("by chance"))
        self.at(now + length_s, lambda: self._end(request, truth, lease, outcome))

    def _end(self, request: Request, truth: Truth, lease: Lease, outcome: Outcome) -> None:
        truth.in_flight -= 1
        self.pool.give_back(lease, outcome, self.now)
        if lease.is_trial:
            self._trials = {trial: each for trial, each in self._trials.items() if each is not lease}
        error = outcome.error
        if error is None:
            self.counts["good"] += outcome.is_success
        elif error.blame is not errors.Blame.CLIENT:
            self._note(truth, lease, error)
            self._try_again(request, truth)
        self._serve_all()

    def _note(self, truth: Truth, lease: Lease, error: GatewayError) -> None:
        if error.retry_after_s is not None and truth.is_here:
            model = "" if isinstance(error, errors.Blocked) else lease.model
            until = self.now + min(error.retry_after_s, RULES.longest_rest_s)
            truth.asked_to_rest_until[model] = max(until, truth.asked_to_rest_until.get(model, 0.0))

    def _try_again(self, request: Request, truth: Truth) -> None:
        request.tried.append(truth.account.id)
        if len(request.tried) < MOST_ATTEMPTS and self.budget.allows_retry(self.now):
            request.arrived_at = self.now
            self._join(request)
        else:
            self.counts["failed"] += 1

    # --- laws at every lease --------------------------------------------------------------------------------------

    def _check(self, truth: Truth, lease: Lease) -> None:
        account, now = truth.account, self.now
        assert truth.is_here, "leased although it was taken out"
        assert not account.concurrency or truth.in_flight < account.concurrency, "leased although it is full"
        for model in ("", lease.model):
            assert now >= truth.asked_to_rest_until.get(model, 0.0), "leased before its upstream wanted"
        if account.rpm:
            sent = truth.sent
            while sent and sent[0] + 60.0 <= now:
                sent.popleft()
            assert len(sent) < account.rpm, "leased faster than its limit"
            sent.append(now)
        for gate in lease.standing.gates(lease.model):
            assert lease.is_trial, "leased as if nothing were the matter"
            trial = gate, gate.until if isinstance(gate, Breaker) else gate.rest
            assert trial not in self._trials, "a second trial beside the first"
            self._trials[trial] = lease
            if _until(gate) > now:
                assert _is_for_failures(gate, lease), "leased although it rests"
                self.counts["in need"] += 1

    # --- trouble --------------------------------------------------------------------------------------------------

    def script(self, until: float) -> None:
        """Trouble after trouble, until all of it is over at `until`."""
        moment = 0.0
        while moment < until - 60.0:
            moment += self.rng.expovariate(0.7)
            length_s = min(self.rng.choice((3.0, 20.0, 60.0, 250.0)), until - moment)
            trouble = self.rng.choice((self._fall_ill, self._fall_ill, self._fall_ill, self._leave, self._host_falls))
            self.at(moment, lambda trouble=trouble, length_s=length_s: trouble(length_s))  # type: ignore[misc]

    def _fall_ill(self, length_s: float) -> None:
        truth = self._someone()
        if truth is None:
            return
        truth.changed_at = self.now
        ends_at = self.now + length_s
        truth.ails = self.rng.choice(
            (
                lambda _: errors.Failing("broken"),
                lambda _: errors.Failing("broken"),
                lambda _: errors.CutOff("cut"),
                lambda _: errors.RateLimited("slow down"),
                lambda now: errors.RateLimited("slow down", retry_after_s=max(0.0, ends_at - now)),
                lambda now: errors.QuotaExhausted("used up", retry_after_s=3 * 3600.0),
                lambda now: errors.Overloaded("busy", retry_after_s=2.0),
                lambda now: errors.Blocked("blocked", retry_after_s=100.0),
            )
        )
        self.at(ends_at, lambda: self._recover(truth))

    def _recover(self, truth: Truth) -> None:
        truth.ails = None
        truth.changed_at = self.now
        self._expect_use(truth, self.now)

    def _expect_use(self, truth: Truth, since: float) -> None:
        """One half-open interval after it is well again it is in use again, unless something new has come up."""
        if not self.has_traffic or not truth.is_here or truth.ails is not None or truth.host in self.down:
            return
        if truth.changed_at > since:
            return  # another trouble came, with an end of its own
        standing = self._standing(truth)
        due_at = max([self.asked_again_at[truth.host], *map(_until, _every_gate(standing))])
        if due_at > since or self.now < since + SLACK_S:
            moment = max(due_at, since)
            self.at(moment + SLACK_S, lambda: self._expect_use(truth, moment))
            return
        self.counts["recovered"] += 1
        for model, wish in self._wishes.items():
            hindrance = standing.hindrance(wish, self.now)
            is_slow = hindrance is not None and hindrance.reason == "paced"
            assert is_slow or truth.used_at[model] >= since, (
                f"{model} on {truth.account.id} is left aside since {since}"
            )

    def _leave(self, length_s: float) -> None:
        truth = self._someone()
        if truth is None:
            return
        truth.is_here = False
        truth.changed_at = self.now
        truth.asked_to_rest_until.clear()  # an account that comes back begins anew
        self._replace()
        self.at(self.now + length_s, lambda: self._come_back(truth))

    def _come_back(self, truth: Truth) -> None:
        truth.is_here = True
        truth.asked_to_rest_until.clear()
        truth.sent.clear()
        truth.changed_at = self.now
        self.pool.reset(truth.account.id)
        self._replace()
        self._serve_all()

    def _host_falls(self, length_s: float) -> None:
        if not self.down:
            host = self.rng.randrange(HOSTS)
            self.down.add(host)
            self.at(self.now + min(length_s, 60.0), lambda: self._host_rises(host))

    def _host_rises(self, host: int) -> None:
        self.down.discard(host)
        self.at(self.now + 1.0, lambda: self._note_host(host))  # what was under way has failed by then

    def _note_host(self, host: int) -> None:
        """It is not asked before its breaker lets the next trial through."""
        breaker = next((one.host for one in self.pool.standings() if self.truths[one.id].host == host), None)
        self.asked_again_at[host] = max(self.now, breaker.until if breaker is not None else 0.0)

    def _someone(self) -> Truth | None:
        """A healthy account, while at least two of three are."""
        well = [truth for truth in self.truths.values() if truth.is_here and truth.ails is None]
        return self.rng.choice(well) if len(well) > ACCOUNTS * 2 / 3 else None

    def _replace(self) -> None:
        self.pool.replace(truth.account for truth in self.truths.values() if truth.is_here)

    def _standing(self, truth: Truth) -> Standing:
        return next(one for one in self.pool.standings("p") if one.id == truth.account.id)


def _until(gate: Gate) -> float:
    if isinstance(gate, Breaker):
        return gate.until
    return gate.rest.until if gate.rest is not None else -inf


def _every_gate(one: Standing) -> list[Gate]:
    return [gate for model in MODELS for gate in one.gates(model)]


def _is_for_failures(gate: Gate, lease: Lease) -> bool:
    if isinstance(gate, Breaker):
        return gate is not lease.standing.host
    return gate.rest is not None and gate.rest.reason is RestReason.FAILING


def test_a_pool_of_fifty_accounts_keeps_its_laws_over_a_hundred_thousand_requests() -> None:
    def law(rng: random.Random) -> None:
        simulation = Simulation(rng)
        simulation.script(until=0.8 * REQUESTS / A_SECOND)
        simulation.run(REQUESTS)
        simulation.finish()
        counts = simulation.counts
        assert counts["requests"] == REQUESTS
        assert not any(simulation.waiting.values()), "somebody was never served"
        assert simulation.longest_wait_s <= LONGEST_WAIT_S, "somebody starved"
        assert [one.in_flight for one in simulation.pool.standings()] == [0] * ACCOUNTS
        assert not any(one.in_flight for one in simulation.pool._leaving.values()), "a lease was lost"
        assert not any(truth.in_flight for truth in simulation.truths.values())
        assert not any(gate.trial for one in simulation.pool.standings() for gate in _every_gate(one)), (
            "a trial was lost"
        )
        assert counts["attempts"] <= 1.2 * REQUESTS + 10, "retries beyond the budget"
        assert counts["good"] > 0.95 * REQUESTS
        assert counts["closed"] > 100, "nobody ever waited, so nothing was shown"
        assert counts["recovered"] > 50

    for_each_seed(1, law)


# --- one bad account among good ones (F62) ------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", Strategy)
def test_f62_an_account_that_always_fails_is_left_alone_and_nobody_notices(strategy: Strategy) -> None:
    def law(rng: random.Random) -> None:
        accounts = [Account(id=name, provider="p", label=name, base_url="https://h.example") for name in "abc"]
        pool = AccountPool(accounts, rules=PoolRules(choosing=Choosing(strategy=strategy)), chance=rng.random)
        ejected_after, failures, running = 0, [], []
        now, count = 0.0, 10_000
        for number in range(count):
            now += rng.expovariate(10.0)
            while running and running[0][0] <= now:
                _, _, lease, outcome = heappop(running)
                pool.give_back(lease, outcome, now)
                ejected_after = ejected_after or (len(failures) if pool.rests(now) else 0)
            lease = pool.take(Wish(provider="p", model="glm-5", session=f"s{rng.randrange(200)}"), now)
            assert isinstance(lease, Lease)
            is_bad = lease.account.id == "a"
            if is_bad:
                failures.append(now)
            outcome = Outcome(error=errors.Failing("broken")) if is_bad else GOOD
            heappush(running, (now + (0.05 if is_bad else rng.expovariate(1.0)), number, lease, outcome))
        probes = len(failures) - ejected_after
        assert 0 < ejected_after <= 5
        assert 0 < probes <= 0.001 * count

    for_each_seed(3, law)


@pytest.mark.parametrize("count", [1, 3])
def test_f62_when_every_account_fails_somebody_is_still_asked_and_the_first_success_opens_the_door(count: int) -> None:
    def law(rng: random.Random) -> None:
        accounts = [Account(id=f"a{number}", provider="p", label="") for number in range(count)]
        pool, now, wish = AccountPool(accounts, chance=rng.random), 0.0, Wish(provider="p", model="glm-5")
        asked: Counter[str] = Counter()
        for _ in range(200):
            now += rng.expovariate(5.0)
            lease = pool.take(wish, now)
            assert isinstance(lease, Lease), "kept out by failures alone"
            asked[lease.account.id] += 1
            pool.give_back(lease, Outcome(error=errors.Failing("broken")), now)
        assert max(asked.values()) - min(asked.values()) <= 6, "the one that failed least recently comes first"
        for _ in range(3 * count):
            lease = pool.take(wish, now)
            assert isinstance(lease, Lease)
            pool.give_back(lease, GOOD, now)
        leases = [pool.take(wish, now) for _ in range(20)]
        assert all(isinstance(lease, Lease) for lease in leases)

    for_each_seed(20, law)
