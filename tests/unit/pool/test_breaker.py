"""When a breaker opens, for how long, and what closes it (RELIABILITY R3)."""

from __future__ import annotations

from math import inf

import pytest

from iflow_cli_proxy.pool.breaker import Breaker, BreakerRules, family_of

RULES = BreakerRules()


def half() -> float:
    return 0.5


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(RULES)
    for _ in range(5):
        breaker.went_wrong(1, at, RULES, half)
    return breaker


def on_trial(breaker: Breaker, ticket: int) -> Breaker:
    breaker.trial = ticket
    return breaker


def test_r3_it_opens_at_the_fifth_failure_in_a_row() -> None:
    breaker = Breaker(RULES)
    for _ in range(4):
        breaker.went_wrong(1, 0.0, RULES, half)
    assert breaker.opens_at(0.0) == 0.0
    breaker.went_wrong(1, 0.0, RULES, half)
    assert (breaker.is_closed, breaker.opens_at(0.0)) == (False, 5.0)


def test_f63_it_opens_later_the_more_other_requests_run() -> None:
    breaker = Breaker(RULES)
    for _ in range(10):
        breaker.went_wrong(1, 0.0, RULES, half, 50)
    assert breaker.is_closed
    breaker.went_wrong(1, 0.0, RULES, half, 50)
    assert not breaker.is_closed


def test_r3_a_success_between_them_begins_the_count_again() -> None:
    breaker = Breaker(RULES)
    for _ in range(4):
        breaker.went_wrong(1, 0.0, RULES, half)
    breaker.went_well(1, 0.0, RULES)
    breaker.went_wrong(1, 0.0, RULES, half)
    assert breaker.is_closed


def test_r3_it_opens_when_more_than_half_of_at_least_twenty_went_wrong() -> None:
    breaker = Breaker(RULES)
    for number in range(9):
        breaker.went_wrong(1, number, RULES, half)
        breaker.went_well(1, number, RULES)
    breaker.went_wrong(1, 10.0, RULES, half)
    assert breaker.is_closed, "19 are too few"
    breaker.went_wrong(1, 10.0, RULES, half)
    assert not breaker.is_closed


def test_f63_a_share_is_judged_by_more_requests_the_more_of_them_run() -> None:
    breaker = Breaker(RULES)
    for number in range(60):
        assert breaker.is_closed, number
        breaker.went_well(1, 1.0, RULES) if number % 5 in (0, 2) else breaker.went_wrong(1, 1.0, RULES, half, 20)
    assert not breaker.is_closed, "three of five of sixty"


def test_r3_what_is_older_than_thirty_seconds_does_not_count() -> None:
    breaker = Breaker(RULES)
    for number in range(40):
        breaker.went_wrong(1, number * 10.0, RULES, half)
        breaker.went_well(1, number * 10.0, RULES)
    breaker.went_wrong(1, 500.0, RULES, half)
    assert breaker.is_closed


def test_r3_every_failed_trial_doubles_the_time_up_to_five_minutes() -> None:
    breaker, now, lengths = opened(), 0.0, []
    for _ in range(9):
        lengths.append(breaker.until - now)
        now = breaker.until
        on_trial(breaker, 7).went_wrong(7, now, RULES, half)
    assert lengths == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(("chance", "length_s"), [(0.0, 4.0), (1.0, 6.0)])
def test_r3_the_time_is_spread_by_a_fifth(chance: float, length_s: float) -> None:
    breaker = Breaker(RULES)
    for _ in range(5):
        breaker.went_wrong(1, 0.0, RULES, lambda: chance)
    assert breaker.until == length_s


def test_r3_two_good_trials_close_it_and_forget_how_often_it_was_open() -> None:
    breaker = opened()
    on_trial(breaker, 7).went_well(7, 5.0, RULES)
    assert not breaker.is_closed
    on_trial(breaker, 8).went_well(8, 5.0, RULES)
    assert breaker.is_closed
    for _ in range(5):
        breaker.went_wrong(1, 10.0, RULES, half)
    assert breaker.until == 15.0


def test_r3_one_trial_at_a_time() -> None:
    breaker = on_trial(opened(), 7)
    assert breaker.opens_at(100.0) == inf
    breaker.release(8)
    assert breaker.opens_at(100.0) == inf
    breaker.release(7)
    assert breaker.opens_at(100.0) == 5.0


def test_leases_from_before_it_opened_neither_close_it_nor_keep_it_open() -> None:
    breaker = opened()
    for _ in range(3):
        breaker.went_well(1, 6.0, RULES)
        breaker.went_wrong(1, 6.0, RULES, half)
    assert (breaker.is_closed, breaker.opens_at(6.0)) == (False, 5.0)


def test_a_trial_before_its_time_that_fails_makes_it_no_longer() -> None:
    breaker = on_trial(opened(), 7)
    breaker.went_wrong(7, 2.0, RULES, half)
    assert breaker.opens_at(2.0) == 5.0


@pytest.mark.parametrize(
    ("model", "family"),
    [("glm-4.7", "glm"), ("z-ai/GLM-5", "glm"), ("qwen3-coder-plus", "qwen"), ("gpt-4o", "gpt"), ("", ""),
     ("4o-mini", "4o-mini")],
)  # fmt: skip
def test_a_family_is_the_first_word_of_a_models_name(model: str, family: str) -> None:
    assert family_of(model) == family
