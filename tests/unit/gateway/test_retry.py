from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry, every_error
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules, Tries, most_useful, pause_before_retry

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


# --- which error is told ------------------------------------------------------------------------------------------


def test_what_the_client_can_mend_is_told_before_anything_else() -> None:
    rejected = errors.Rejected("field x", status=422)

    assert most_useful([rejected, errors.RateLimited("slow"), errors.Unreachable("gone")]) is rejected


def test_when_to_come_back_is_told_before_a_failure_and_a_failure_before_a_bad_key() -> None:
    limited, failing, revoked = errors.RateLimited("slow"), errors.Failing("x"), errors.Revoked("x")

    assert most_useful([failing, limited, revoked]) is limited
    assert most_useful([failing, revoked]) is failing
    assert most_useful([revoked, errors.Busy("x")]) is revoked


def test_of_equals_the_last_is_told() -> None:
    first, last = errors.Failing("x"), errors.ConnectionLost("y")

    assert most_useful([first, last]) is last


def test_the_wait_is_that_of_the_account_that_is_free_soonest() -> None:
    told = most_useful([errors.RateLimited("a", retry_after_s=60), errors.RateLimited("b", retry_after_s=7)])

    assert told.retry_after_s == 7
    assert most_useful([errors.Rejected("a"), errors.RateLimited("b", retry_after_s=7)]).retry_after_s is None


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
