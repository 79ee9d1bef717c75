"""One model on one account: its rests, how they begin and what ends them."""

from __future__ import annotations

from math import inf

import pytest

from iflow_cli_proxy.core.errors import GatewayError, QuotaExhausted, RateLimited
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.way import Way

RULES = PoolRules()


def fail(way: Way, times: int = 1, *, ticket: int = 1, now: float = 0.0, rules: PoolRules = RULES) -> Way:
    for _ in range(times):
        way.went_wrong(ticket, now, "a", rules, 0.0)
    return way


def refuse(way: Way, error: GatewayError, now: float = 0.0, reason: RestReason = RestReason.RATE) -> Way:
    way.was_told_to_rest(reason, error, now, "a", RULES, 0.0)
    return way


def test_it_rests_after_the_third_failure_in_a_row() -> None:
    way = fail(Way("m"), 2)
    assert way.opens_at(0.0) == 0.0
    fail(way)
    assert way.opens_at(0.0) == 30.0
    assert way.rest is not None
    assert way.rest.reason is RestReason.FAILING


def test_a_cool_down_of_nothing_means_no_rest() -> None:
    way = fail(Way("m"), 50, rules=PoolRules(cool_down_s=0.0))
    assert way.rest is None


def test_a_cool_down_of_nothing_means_no_rest_after_a_refusal_without_a_time_either() -> None:
    way = Way("m")
    way.was_told_to_rest(RestReason.RATE, RateLimited(""), 0.0, "a", PoolRules(cool_down_s=0.0), 1.0)
    assert way.rest is None, "not even one that lets a single request through at a time"


@pytest.mark.parametrize(("running", "failures"), [(0, 3), (1, 4), (3, 5), (50, 9)])
def test_f63_the_more_requests_run_the_more_of_them_fail_in_a_row_by_chance(running: int, failures: int) -> None:
    way = Way("m")
    for _ in range(failures - 1):
        way.went_wrong(1, 0.0, "a", RULES, 0.0, running)
    assert way.rest is None
    way.went_wrong(1, 0.0, "a", RULES, 0.0, running)
    assert way.rest is not None


def test_a_success_ends_a_rest_for_failures_at_once() -> None:
    way = fail(Way("m"), 3)
    way.went_well(9, 1.0)
    assert (way.opens_at(1.0), way.failures) == (1.0, 0)


def test_a_success_that_was_under_way_does_not_shorten_what_the_upstream_asked_for() -> None:
    way = refuse(Way("m"), RateLimited("", retry_after_s=20.0))
    way.went_well(9, 1.0)
    assert way.opens_at(1.0) == 20.0
    way.went_well(9, 20.0)
    assert way.rest is None


def test_one_trial_at_a_time_and_its_failure_makes_the_next_rest_longer() -> None:
    way = fail(Way("m"), 3)
    way.trial = 7
    assert way.opens_at(30.0) == inf
    fail(way, ticket=7, now=30.0)
    assert way.opens_at(30.0) == 90.0


def test_failures_that_were_under_way_do_not_make_a_rest_longer() -> None:
    way = fail(fail(Way("m"), 3), 10, now=29.0)
    assert way.opens_at(29.0) == 30.0
    fail(way, 10, now=31.0)
    assert way.opens_at(31.0) == 30.0, "over, and waiting for its trial"


def test_of_two_hints_the_one_that_ends_later_holds() -> None:
    way = refuse(Way("m"), RateLimited("", retry_after_s=20.0))
    refuse(way, RateLimited("", retry_after_s=5.0), now=1.0)
    assert way.opens_at(1.0) == 20.0
    refuse(way, QuotaExhausted("", retry_after_s=900.0), now=1.0, reason=RestReason.QUOTA)
    assert way.opens_at(1.0) == 901.0


def test_what_an_upstream_asks_for_outdoes_a_rest_for_failures_which_a_success_would_end() -> None:
    way = refuse(fail(Way("m"), 3), RateLimited("", retry_after_s=5.0))
    way.went_well(9, 1.0)
    assert way.opens_at(1.0) == 5.0


def test_many_refused_together_rest_as_one() -> None:
    way = Way("m")
    for _ in range(20):
        refuse(way, RateLimited(""), now=10.0)
    assert way.opens_at(10.0) == 12.0


def test_refusals_after_each_other_without_a_hint_rest_longer_and_longer() -> None:
    way, now, lengths = Way("m"), 0.0, []
    for _ in range(6):
        refuse(way, RateLimited(""), now=now)
        lengths.append(way.opens_at(now) - now)
        now = way.opens_at(now)
    assert lengths == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_trial_that_is_out_while_another_success_ends_the_rest_is_forgotten() -> None:
    way = fail(Way("m"), 3)
    way.trial = 7
    way.went_well(6, 31.0)
    fail(way, 3, now=40.0)
    assert way.opens_at(40.0) == 70.0
