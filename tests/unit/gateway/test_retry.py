from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry, every_error
from iflow_cli_proxy.gateway.retry import (
    Next,
    RetryBudget,
    RetryRules,
    Tries,
    next_try,
    pause_before_retry,
    routes_after,
)
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.routing.resolve import Route, RoutingTable

RULES = RetryRules(max_attempts=3, same_account=1, backoff_s=0.2)


def pause(
    error: GatewayError,
    tries: Tries | None = None,
    rules: RetryRules = RULES,
    *,
    has_other: bool = False,
    chance: float = 0.5,
) -> float | None:
    return pause_before_retry(error, tries or Tries(attempts=1), rules, has_other_account=has_other, chance=chance)


def test_r1_class_a_and_b_are_tried_again_on_the_same_account() -> None:
    for error in (errors.Unreachable("x"), errors.Overloaded("x"), errors.RateLimited("x")):
        assert pause(error) == pytest.approx(0.1)


def test_r1_class_c_is_tried_again_once_in_all() -> None:
    for error in (errors.ConnectionLost("x"), errors.Failing("x"), errors.EmptyAnswer("x")):
        assert pause(error) is not None
        assert pause(error, Tries(attempts=2, ambiguous=1), has_other=True) is None


def test_r1_class_c_can_be_forbidden_by_the_caller_and_by_the_operator() -> None:
    error = errors.ConnectionLost("x")

    assert pause(error, Tries(attempts=1, forbids_ambiguous=True), has_other=True) is None
    assert pause(error, rules=RetryRules(allows_ambiguous=False), has_other=True) is None
    assert pause(errors.Overloaded("x"), Tries(attempts=1, forbids_ambiguous=True)) is not None


@pytest.mark.parametrize("has_other", [True, False])
def test_r1_class_d_is_never_tried_again(has_other: bool) -> None:
    for error in (
        errors.TimedOut("first_byte", 1.0),
        errors.CutOff("x"),
        errors.Malformed("x"),
        errors.TlsFailed("x"),
        errors.Rejected("x", status=422),
        errors.ContextOverflow("x"),
        errors.ContentFiltered("x"),
        errors.InvalidRequest("x"),
    ):
        assert pause(error, has_other=has_other) is None


def test_what_only_another_account_can_mend_waits_for_none() -> None:
    for error in (
        errors.Revoked("x"),
        errors.LoginRequired("x"),
        errors.QuotaExhausted("x"),
        errors.ConnectTimedOut("x"),
    ):
        assert pause(error, has_other=True) == 0
        assert pause(error, has_other=False) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 434])
def test_a_refused_key_is_another_accounts_turn_whatever_its_status(status: int) -> None:
    assert pause(errors.LoginRequired("x", status=status), has_other=True) == 0


def test_an_expired_token_is_of_no_use_twice() -> None:
    assert pause(errors.Expired("x")) is None


def test_another_account_is_asked_at_once() -> None:
    for error in (errors.RateLimited("x", retry_after_s=60), errors.ConnectionLost("x"), errors.Expired("x")):
        assert pause(error, has_other=True) == 0


def test_attempts_are_counted_over_all_accounts() -> None:
    assert pause(errors.Overloaded("x"), Tries(attempts=2), has_other=True) == 0
    assert pause(errors.Overloaded("x"), Tries(attempts=3), has_other=True) is None


def test_tries_on_the_same_account_are_counted_apart() -> None:
    assert pause(errors.Overloaded("x"), Tries(attempts=2, on_same=1)) is None
    assert pause(errors.Overloaded("x"), Tries(attempts=2, on_same=1), RetryRules(same_account=2)) is not None


def test_a_short_wait_is_obeyed_and_a_long_one_told() -> None:
    for kind in (errors.RateLimited, errors.Overloaded, errors.Failing):
        assert pause(kind("x", retry_after_s=1.5)) == 1.5
        assert pause(kind("x", retry_after_s=2.5)) is None


def test_jitter_only_adds_to_what_the_upstream_asked_for() -> None:
    assert pause(errors.RateLimited("x", retry_after_s=0.05), chance=0.9) == pytest.approx(0.18)
    assert pause(errors.RateLimited("x", retry_after_s=0.05), chance=0.0) == 0.05


def test_backoff_is_full_jitter_that_doubles_up_to_a_cap() -> None:
    rules = RetryRules(max_attempts=99, same_account=99, backoff_s=1.0)
    longest = [pause(errors.Overloaded("x"), Tries(attempts=1, on_same=n), rules, chance=1.0) for n in range(5)]

    assert longest == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert pause(errors.Overloaded("x"), rules=rules, chance=0.0) == 0


@pytest.mark.parametrize(("status", "is_tried"), [(500, False), (429, True), (503, True), (529, True), (408, True)])
def test_statuses_off_the_list_are_not_tried_again(status: int, is_tried: bool) -> None:
    rules = RetryRules(statuses={429, 503})

    assert (pause(errors.Overloaded("x", status=status), rules=rules) is not None) is is_tried
    assert (pause(errors.Overloaded("x", status=status), rules=rules, has_other=True) is not None) is is_tried


def test_a_refused_key_may_go_to_another_account_whatever_the_list_says() -> None:
    assert pause(errors.LoginRequired("x", status=401), rules=RetryRules(statuses=()), has_other=True) == 0


def test_no_error_that_forbids_it_is_ever_tried_again() -> None:
    for cls in every_error():
        error = errors.of_kind(cls.kind, "x")
        if type(error).retry in (Retry.NEVER, Retry.OTHER_ROUTE):
            assert pause(error, has_other=True) is None
        assert pause(error, Tries(attempts=3), has_other=True) is None


# --- several routes -----------------------------------------------------------------------------------------------

ON_NEXT_ROUTE = Next(changes_route=True)
HERE = Next()

SMALL = Route(provider="one", model="m", context_tokens=8_000)
SAME_HOST = Route(provider="one", model="n", context_tokens=4_000, is_fallback=True)
LARGE = Route(provider="two", model="m", context_tokens=128_000, is_fallback=True)
TABLE = RoutingTable(catalogs={"one": Catalog(), "two": Catalog()})


def after(
    error: GatewayError,
    tries: Tries | None = None,
    rules: RetryRules = RULES,
    *,
    has_other_account: bool = False,
    has_other_route: bool = True,
) -> Next | None:
    return next_try(
        error,
        tries or Tries(attempts=1),
        rules,
        has_other_account=has_other_account,
        has_other_route=has_other_route,
        chance=0.5,
    )


def test_where_there_is_one_route_it_is_as_with_accounts_alone() -> None:
    for cls in every_error():
        error = errors.of_kind(cls.kind, "x")
        for has_other in (True, False):
            pause_s = pause(error, has_other=has_other)
            expected = None if pause_s is None else Next(pause_s=pause_s)
            assert after(error, has_other_account=has_other, has_other_route=False) == expected


def test_another_account_goes_before_another_route_and_that_before_the_same_account() -> None:
    for error in (errors.RateLimited("x"), errors.Overloaded("x"), errors.LoginRequired("x"), errors.Unreachable("x")):
        assert after(error, has_other_account=True) == HERE
        assert after(error) == ON_NEXT_ROUTE


def test_a_long_wait_is_no_reason_to_stay() -> None:
    assert after(errors.RateLimited("x", retry_after_s=600)) == ON_NEXT_ROUTE


def test_the_last_attempt_is_the_next_routes_however_many_accounts_there_are() -> None:
    assert after(errors.RateLimited("x"), Tries(attempts=2), has_other_account=True) == ON_NEXT_ROUTE
    assert after(errors.RateLimited("x"), Tries(attempts=2), has_other_account=True, has_other_route=False) == HERE


def test_r1_the_one_try_after_an_ambiguous_failure_is_the_next_routes() -> None:
    error = errors.Failing("x", status=500)

    assert after(error, has_other_account=True) == ON_NEXT_ROUTE
    assert after(error, Tries(attempts=2, ambiguous=1), has_other_account=True) is None
    assert after(error, Tries(attempts=1, forbids_ambiguous=True)) is None
    assert after(error, rules=RetryRules(allows_ambiguous=False)) is None


def test_a_host_that_takes_no_connection_is_left_at_once() -> None:
    assert after(errors.ConnectTimedOut("x"), has_other_account=True) == ON_NEXT_ROUTE
    assert after(errors.TlsFailed("x"), has_other_account=True) == ON_NEXT_ROUTE
    assert after(errors.TlsFailed("x"), has_other_account=True, has_other_route=False) is None


def test_f61_a_route_without_a_free_account_costs_neither_an_attempt_nor_the_budget() -> None:
    for error in (errors.NoAccountAvailable("x", retry_after_s=600), errors.Busy("x")):
        assert after(error, Tries(attempts=0)) == Next(changes_route=True, is_free=True)
        assert after(error, Tries(attempts=3)) is None
        assert after(error, has_other_account=True, has_other_route=False) is None


def test_a_gateway_that_is_stopping_looks_for_no_other_route() -> None:
    assert after(errors.Draining("x")) is None


def test_a_model_that_is_gone_and_a_prompt_that_is_too_long_are_another_routes() -> None:
    for error in (
        errors.UnknownModel("x", status=404),
        errors.Rejected("nothing there", status=404),
        errors.ContextOverflow("x", status=400),
    ):
        assert after(error, has_other_account=True) == Next(changes_route=True, is_free=True)
        assert after(error, has_other_account=True, has_other_route=False) is None


def test_f36_what_is_wrong_with_the_request_is_wrong_on_every_route() -> None:
    for error in (
        errors.Rejected("x", status=400),
        errors.Rejected("x", status=413),
        errors.Rejected("x", status=422),
        errors.ContentFiltered("x", status=400),
        errors.InvalidRequest("x"),
        errors.TooLarge("x"),
    ):
        assert after(error, has_other_account=True) is None


def test_r1_what_an_upstream_may_still_be_working_on_goes_nowhere_else() -> None:
    for error in (errors.TimedOut("first_byte", 1.0), errors.CutOff("x"), errors.Malformed("x")):
        assert after(error, has_other_account=True) is None


def test_r1_attempts_are_counted_over_all_routes() -> None:
    for cls in every_error():
        assert after(errors.of_kind(cls.kind, "x"), Tries(attempts=3), has_other_account=True) is None


def test_statuses_off_the_list_do_not_change_the_route() -> None:
    assert after(errors.Overloaded("x", status=503), rules=RetryRules(statuses={429})) is None


def test_the_routes_that_may_follow_are_those_that_can_mend_it() -> None:
    left = (SMALL, SAME_HOST, LARGE)

    assert routes_after(errors.Overloaded("x"), left, TABLE) == (SAME_HOST, LARGE)
    assert routes_after(errors.UnknownModel("x"), left, TABLE) == (SAME_HOST, LARGE)
    assert routes_after(errors.ContextOverflow("x"), left, TABLE) == (LARGE,)
    assert routes_after(errors.ContextOverflow("x"), (LARGE, SMALL), TABLE) == ()
    for error in (errors.Unreachable("x"), errors.ConnectTimedOut("x"), errors.TlsFailed("x")):
        assert routes_after(error, left, TABLE) == (LARGE,)


def test_r1_whatever_goes_wrong_a_walk_ends_within_its_attempts_and_never_returns() -> None:
    rng = random.Random(11)
    kinds = [errors.of_kind(cls.kind, "x") for cls in every_error()]
    for _ in range(2000):
        left: tuple[Route, ...] = (SMALL, SAME_HOST, LARGE)
        walked, tries = [SMALL], Tries()
        while True:
            error = rng.choice(kinds)
            tries.attempts += not isinstance(error, errors.NoAccountAvailable | errors.Busy)
            onward = routes_after(error, left, TABLE)
            step = after(error, tries, has_other_account=rng.random() < 0.5, has_other_route=bool(onward))
            if step is None:
                break
            tries.ambiguous += error.is_ambiguous
            if step.changes_route:
                tries.leave_route(left[0], error)
                left = onward
                walked.append(left[0])
            else:
                tries.on_same += 1
        assert tries.attempts <= 3
        assert tries.ambiguous <= 1
        assert len(walked) == len(set(map(str, walked)))


def test_an_account_that_failed_with_one_model_may_be_tried_with_the_next() -> None:
    limited, blocked = errors.RateLimited("x"), errors.Blocked("y")
    tries = Tries(attempts=2, on_same=1, failures={"a": limited, "b": blocked})
    assert tries.tried == {"a", "b"}

    tries.leave_route(SMALL, blocked)

    assert tries.tried == {"b"}, "a block is the account's, whatever the model"
    assert (tries.on_same, tries.attempts, tries.failures) == (0, 2, {})
    assert tries.earlier == [limited, blocked]


# --- which error is told ------------------------------------------------------------------------------------------


def test_r1_a_refusal_of_the_queue_does_not_outrank_what_an_account_said_that_may_be_asked_again() -> None:
    lost, refused = errors.ConnectionLost("reset"), errors.QuotaExhausted("all rest", retry_after_s=3000)

    assert Tries(attempts=1, failures={"a": lost}).to_tell(SMALL, refused, was_sent=False) is lost
    assert Tries(attempts=1).to_tell(SMALL, refused, was_sent=False) is refused
    bad_key = Tries(attempts=1, failures={"a": errors.Revoked("no")})
    assert bad_key.to_tell(SMALL, refused, was_sent=False) is refused, "and when to come back"


def test_f33_the_wait_is_the_shortest_over_all_routes() -> None:
    first = errors.RateLimited("a", retry_after_s=60)
    tries = Tries(attempts=1, failures={"a": first})
    tries.leave_route(SMALL, first)
    second = errors.RateLimited("b", retry_after_s=7)
    tries.failures["a"] = second

    told = tries.to_tell(LARGE, second)

    assert (told, told.retry_after_s) == (second, 7)


def test_what_a_fallback_has_against_the_request_is_told_last() -> None:
    slow, strange = errors.RateLimited("slow"), errors.Rejected("no tools here", status=422)
    tries = Tries(attempts=1, failures={"a": slow})
    tries.leave_route(SMALL, slow)

    assert tries.to_tell(LARGE, strange) is slow
    assert Tries(attempts=1).to_tell(SMALL, strange) is strange


def test_that_a_prompt_was_too_long_is_told_when_the_larger_window_failed_too() -> None:
    long = errors.ContextOverflow("too long")
    tries = Tries(attempts=1, failures={"a": long})
    tries.leave_route(SMALL, long)

    assert tries.to_tell(LARGE, errors.Overloaded("x")) is long


def test_a_route_that_nobody_could_use_counts_among_those_that_failed() -> None:
    none_free = errors.NoAccountAvailable("resting", retry_after_s=5)
    tries = Tries(attempts=1, failures={"a": errors.RateLimited("slow", retry_after_s=60)})

    assert tries.to_tell(SMALL, none_free).retry_after_s == 5


# --- the budget ---------------------------------------------------------------------------------------------------


def storm(budget: RetryBudget, *, requests: int, per_second: float, start: float = 0.0) -> int:
    granted = 0
    for number in range(requests):
        budget.first_attempt()
        granted += budget.allows_retry(start + number / per_second)
    return granted


def test_r1_an_idle_system_has_a_retry() -> None:
    budget = RetryBudget()
    budget.first_attempt()

    assert budget.allows_retry(0.0)


def test_f62_requests_that_meet_a_bad_account_at_the_very_start_find_the_others() -> None:
    budget = RetryBudget()
    for _ in range(9):
        budget.first_attempt()

    assert [budget.allows_retry(0.0) for _ in range(5)] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("per_second", [5, 50, 500, 50_000])
def test_r1_a_total_outage_is_amplified_by_a_fifth_at_most(per_second: float) -> None:
    assert storm(RetryBudget(), requests=200, per_second=per_second) <= 0.2 * 200 + 1


def test_r1_good_times_save_up_for_ten_retries_at_most() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.first_attempt()

    assert storm(budget, requests=100, per_second=1000, start=100.0) <= 0.2 * 100 + 10


def test_r1_slow_failures_get_one_retry_a_second() -> None:
    budget = RetryBudget()

    assert storm(budget, requests=60, per_second=1) == 60


def test_r1_whatever_the_pace_no_second_has_more_than_its_share() -> None:
    rng = random.Random(7)
    budget, now, granted, asked = RetryBudget(), 0.0, 0, 0
    for _ in range(5000):
        now += rng.expovariate(30)
        budget.first_attempt()
        asked += 1
        granted += budget.allows_retry(now)

    assert granted <= 0.2 * asked + 10
