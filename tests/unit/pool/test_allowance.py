from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from iflow_cli_proxy.pool.allowance import WINDOW_S, Admission, Allowances, Limit, Refusal, Spent
from iflow_cli_proxy.pool.client_key import Budget, ClientKey

KEY = ClientKey(name="team", digest=b"d")
NOON = datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


def let_in(done: Admission | Refusal) -> Admission:
    assert isinstance(done, Admission), done
    return done


def refused(done: Admission | Refusal) -> tuple[Limit, float]:
    assert isinstance(done, Refusal), done
    return done.limit, done.frees_in_s


def use(allowances: Allowances, key: ClientKey, now: float, *, tokens: int = 0, wall: float = NOON) -> None:
    """One request from its beginning to its end."""
    allowances.settle(let_in(allowances.admit(key, now, wall)), now, wall, tokens)


def test_requests_a_minute_are_refused_until_the_oldest_is_a_minute_old() -> None:
    allowances, key = Allowances(), replace(KEY, rpm=2)
    use(allowances, key, 0.0)
    use(allowances, key, 10.0)

    assert refused(allowances.admit(key, 30.0, NOON)) == (Limit.RPM, 30.0)
    assert refused(allowances.admit(key, 59.5, NOON)) == (Limit.RPM, 0.5)
    use(allowances, key, 60.0)
    assert refused(allowances.admit(key, 60.0, NOON)) == (Limit.RPM, 10.0)


def test_tokens_a_minute_fill_a_window_that_the_last_request_may_overfill() -> None:
    allowances, key = Allowances(), replace(KEY, tpm=100)
    use(allowances, key, 0.0, tokens=60)
    use(allowances, key, 20.0, tokens=500)

    assert refused(allowances.admit(key, 30.0, NOON)) == (Limit.TPM, 50.0)
    use(allowances, key, 80.0)


def test_what_a_running_request_may_need_counts_until_it_ends() -> None:
    allowances, key = Allowances(), replace(KEY, tpm=100)
    running = let_in(allowances.admit(key, 0.0, NOON, 100))

    assert refused(allowances.admit(key, 0.0, NOON)) == (Limit.TPM, 1.0)
    allowances.settle(running, 1.0, NOON, 10)
    let_in(allowances.admit(key, 1.0, NOON))


def test_places_are_free_again_when_requests_end() -> None:
    allowances, key = Allowances(), replace(KEY, concurrency=2)
    first, _ = (let_in(allowances.admit(key, 0.0, NOON)) for _ in range(2))

    assert refused(allowances.admit(key, 0.0, NOON)) == (Limit.CONCURRENCY, 1.0)
    let_in(allowances.admit(key, 0.0, NOON, is_running=False))
    allowances.settle(first, 0.0, NOON, 5)
    let_in(allowances.admit(key, 0.0, NOON))


def test_a_request_that_never_went_out_has_used_nothing() -> None:
    allowances = Allowances()
    key = replace(KEY, rpm=1, tpm=10, concurrency=1, budget=Budget(amount=10))
    for _ in range(20):
        allowances.release(let_in(allowances.admit(key, 0.0, NOON, 10)))

    use(allowances, key, 0.0, tokens=10)
    assert isinstance(allowances.admit(key, 0.0, NOON), Refusal)


def test_an_admission_ends_once() -> None:
    allowances, key = Allowances(), replace(KEY, concurrency=1, budget=Budget(amount=100))
    admission = let_in(allowances.admit(key, 0.0, NOON, 7))
    for _ in range(3):
        allowances.settle(admission, 0.0, NOON, 60)
        allowances.release(admission)

    assert allowances.running("team") == 0
    assert allowances.spent("team", Budget(amount=1), NOON) == Spent(tokens=60)


@pytest.mark.parametrize(
    ("per", "frees_in_s"), [("day", DAY_S / 2), ("month", DAY_S / 2)]
)  # noon of the last day of a year
def test_a_budget_is_used_up_until_its_day_or_month_of_utc_is_over(per: str, frees_in_s: float) -> None:
    allowances = Allowances()
    key = replace(KEY, budget=Budget(amount=100, per=per))  # type: ignore[arg-type]
    use(allowances, key, 0.0, tokens=99)
    use(allowances, key, 1.0, tokens=50)

    assert refused(allowances.admit(key, 100.0, NOON)) == (Limit.BUDGET, frees_in_s)
    use(allowances, key, 100.0, wall=NOON + frees_in_s)


@pytest.mark.parametrize(
    ("today", "first"), [((2026, 2, 1), (2026, 3, 1)), ((2028, 2, 29), (2028, 3, 1)), ((2026, 12, 1), (2027, 1, 1))]
)
def test_a_month_ends_where_the_next_begins(today: tuple[int, int, int], first: tuple[int, int, int]) -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=1))
    wall, until = (datetime(*day, tzinfo=UTC).timestamp() for day in (today, first))
    use(allowances, key, 0.0, tokens=1, wall=wall)

    assert refused(allowances.admit(key, 0.0, wall)) == (Limit.BUDGET, until - wall)


def test_money_counts_as_it_is_handed_in() -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=0.5, unit="usd", per="day"))
    for _ in range(2):
        allowances.settle(let_in(allowances.admit(key, 0.0, NOON)), 0.0, NOON, 10**9, 0.25)

    assert refused(allowances.admit(key, 0.0, NOON))[0] is Limit.BUDGET


def test_a_clock_that_is_set_back_wins_nothing() -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=10, per="day"))
    use(allowances, key, 0.0, tokens=10)

    assert refused(allowances.admit(key, 0.0, NOON - 3 * DAY_S)) == (Limit.BUDGET, DAY_S / 2)
    assert refused(allowances.admit(key, 0.0, NOON - 3 * DAY_S))[0] is Limit.BUDGET
    use(allowances, key, 0.0, wall=NOON - 2 * DAY_S)


def test_the_limit_that_lasts_longest_is_the_one_told() -> None:
    allowances, key = Allowances(), replace(KEY, rpm=1, concurrency=1, budget=Budget(amount=1, per="day"))
    running = let_in(allowances.admit(key, 0.0, NOON))

    assert refused(allowances.admit(key, 1.0, NOON)) == (Limit.RPM, 59.0)
    allowances.settle(running, 1.0, NOON, 1)
    assert refused(allowances.admit(key, 1.0, NOON)) == (Limit.BUDGET, DAY_S / 2)


def test_limits_change_and_counts_stay() -> None:
    allowances = Allowances()
    for now in range(5):
        use(allowances, replace(KEY, rpm=100, budget=Budget(amount=1000, per="month")), float(now), tokens=10)

    assert refused(allowances.admit(replace(KEY, rpm=5), 5.0, NOON)) == (Limit.RPM, 55.0)
    assert refused(allowances.admit(replace(KEY, rpm=3), 5.0, NOON)) == (Limit.RPM, 57.0)
    assert refused(allowances.admit(replace(KEY, budget=Budget(amount=50, per="day")), 5.0, NOON))[0] is Limit.BUDGET


def test_keys_have_nothing_to_do_with_each_other() -> None:
    allowances, one, other = Allowances(), replace(KEY, rpm=1), replace(KEY, rpm=1, name="other")
    use(allowances, one, 0.0)

    use(allowances, other, 0.0)
    assert isinstance(allowances.admit(one, 0.0, NOON), Refusal)


def test_what_an_earlier_run_used_is_remembered() -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=10, per="day"))
    allowances.recall("team", NOON, day=Spent(tokens=10, cost=1.0), month=Spent(tokens=70, cost=7.0))

    assert refused(allowances.admit(key, 0.0, NOON))[0] is Limit.BUDGET
    assert allowances.spent("team", Budget(amount=1), NOON) == Spent(tokens=70, cost=7.0)
    assert allowances.spent("stranger", Budget(amount=1), NOON) == Spent()


def test_negative_counts_are_taken_for_none() -> None:
    allowances, key = Allowances(), replace(KEY, tpm=10, budget=Budget(amount=10))
    admission = let_in(allowances.admit(key, 0.0, NOON, -100))
    allowances.settle(admission, 0.0, NOON, -100, -1.0)
    use(allowances, key, 0.0, tokens=10)

    assert isinstance(allowances.admit(key, 0.0, NOON), Refusal)


def test_keys_that_are_gone_are_forgotten_once_that_changes_nothing() -> None:
    allowances = Allowances()
    running = let_in(allowances.admit(replace(KEY, name="running"), 0.0, NOON))
    use(allowances, replace(KEY, name="spent"), 0.0, tokens=5)
    use(allowances, replace(KEY, name="idle"), 0.0)
    use(allowances, replace(KEY, name="kept"), 0.0)

    allowances.forget_others({"kept"}, 0.0, NOON)
    assert len(allowances) == 4
    allowances.forget_others({"kept"}, WINDOW_S, NOON)
    assert len(allowances) == 3
    allowances.settle(running, WINDOW_S, NOON, 0)
    allowances.forget_others({"kept"}, 2 * WINDOW_S, NOON + 40 * DAY_S)
    assert len(allowances) == 1


def test_a_window_is_small_whatever_the_limit() -> None:
    allowances, key = Allowances(), replace(KEY, rpm=10**9, tpm=10**9)
    for number in range(100_000):
        use(allowances, key, number / 1000, tokens=1)

    counts = allowances._counts["team"]
    assert max(len(counts.requests._entries), len(counts.tokens._entries)) <= 602
    assert counts.requests.total == pytest.approx(60_000, rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_no_minute_ever_holds_more_than_the_limit_and_nothing_goes_below_zero(seed: int) -> None:
    chance, now = random.Random(seed), 0.0
    allowances, key = Allowances(), replace(KEY, rpm=20, concurrency=5, tpm=1000, budget=Budget(amount=10**5))
    went_out: list[float] = []
    open_now: list[Admission] = []
    for _ in range(4000):
        now += chance.choice((0.0, 0.01, 0.3, 2.0))
        if open_now and chance.random() < 0.5:
            admission = open_now.pop(chance.randrange(len(open_now)))
            if chance.random() < 0.3:
                allowances.release(admission)
                went_out.remove(admission.admitted_at)
            else:
                allowances.settle(admission, now, NOON + now, chance.randrange(200))
        done = allowances.admit(key, now, NOON + now, chance.randrange(100))
        if isinstance(done, Admission):
            open_now.append(done)
            went_out.append(now)
        else:
            assert done.frees_in_s > 0
        counts = allowances._counts["team"]
        assert len(open_now) == allowances.running("team") <= 5
        assert min(counts.reserved, counts.requests.total, counts.tokens.total) >= 0
        assert sum(1 for at in went_out if at > now - WINDOW_S) <= 20
    for admission in open_now:
        allowances.settle(admission, now, NOON, 0)
    assert (allowances.running("team"), allowances._counts["team"].reserved) == (0, 0)


def test_a_clock_that_is_set_back_over_midnight_and_comes_forward_again_wins_nothing() -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=10, per="day"))
    past_midnight = NOON + 12.1 * 3600
    use(allowances, key, 0.0, tokens=10, wall=past_midnight)

    for wall in (past_midnight, past_midnight - 1200, past_midnight + 1):
        assert refused(allowances.admit(key, 1.0, wall))[0] is Limit.BUDGET
    use(allowances, key, 2.0, wall=past_midnight + DAY_S)


def test_a_clock_that_was_wrong_by_years_stops_nobody_for_years() -> None:
    allowances, key = Allowances(), replace(KEY, budget=Budget(amount=10, per="day"))
    use(allowances, key, 0.0, tokens=10, wall=NOON + 3650 * DAY_S)

    assert refused(allowances.admit(key, 1.0, NOON))[0] is Limit.BUDGET
    use(allowances, key, 2.0, wall=NOON + DAY_S)


def test_requests_made_for_the_sake_of_one_count_too() -> None:
    allowances, key = Allowances(), replace(KEY, rpm=3)
    allowances.settle(let_in(allowances.admit(key, 0.0, NOON)), 1.0, NOON, 0, further_requests=2)

    assert refused(allowances.admit(key, 1.0, NOON))[0] is Limit.RPM


def test_a_key_that_is_forgotten_begins_anew_and_what_still_runs_counts_for_nobody() -> None:
    allowances, key = Allowances(), replace(KEY, concurrency=1, budget=Budget(amount=10))
    use(allowances, key, 0.0, tokens=10)
    allowances.forget(key.name)
    running = let_in(allowances.admit(key, 1.0, NOON))
    allowances.forget(key.name)

    let_in(allowances.admit(key, 2.0, NOON))
    allowances.settle(running, 3.0, NOON, 1000)
    assert allowances.running(key.name) == 1
    assert allowances.spent(key.name, Budget(amount=10), NOON) == Spent()
