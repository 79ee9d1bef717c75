"""Leases: who gets which account, what comes of them, and why there is none."""

from __future__ import annotations

from math import inf

import msgspec
import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import AccountPool, Closed, Lease
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.rules import Choosing, PoolRules, Strategy
from iflow_cli_proxy.pool.wish import Wish

WISH = Wish(provider="p", model="glm-5")
GOOD = Outcome(is_success=True)
NO_VERDICT = Outcome()
FAILING = errors.Failing("It failed.")


def account(
    name: str, *, provider: str = "p", concurrency: int = 0, rpm: int = 0, fresh_until: float = inf, host: str = ""
) -> Account:
    return Account(
        id=name, provider=provider, label=name, concurrency=concurrency, rpm=rpm, fresh_until=fresh_until,
        base_url=f"https://{host or name}.example/v1",
    )  # fmt: skip


def pool_of(*accounts: Account, rules: PoolRules | None = None) -> AccountPool:
    """Nothing is left to chance, and each account has a host of its own unless it says otherwise."""
    return AccountPool(accounts, rules=rules or PoolRules(), chance=lambda: 0.0)


def taken(pool: AccountPool, wish: Wish = WISH, now: float = 0.0) -> Lease:
    lease = pool.take(wish, now)
    assert isinstance(lease, Lease), lease
    return lease


def closed(pool: AccountPool, wish: Wish = WISH, now: float = 0.0) -> Closed:
    found = pool.take(wish, now)
    assert isinstance(found, Closed), found
    return found


def asked(pool: AccountPool, error: GatewayError | None, *, now: float = 0.0, wish: Wish = WISH) -> Lease:
    """One request from beginning to end."""
    lease = taken(pool, wish, now)
    pool.give_back(lease, Outcome(error=error, is_success=error is None), now)
    return lease


def on(name: str, model: str = "glm-5") -> Wish:
    return Wish(provider="p", model=model, allowed=frozenset({name}))


# --- who gets which -----------------------------------------------------------------------------------------------


def test_the_least_busy_account_is_leased() -> None:
    pool = pool_of(account("a"), account("b"))
    assert {taken(pool).account.id, taken(pool).account.id} == {"a", "b"}


def test_accounts_of_other_providers_are_never_leased() -> None:
    assert closed(pool_of(account("a", provider="q"))).reason == "none"


def test_only_accounts_the_caller_may_use_are_leased() -> None:
    pool = pool_of(account("a"), account("b"))
    assert {taken(pool, on("b")).account.id for _ in range(5)} == {"b"}
    assert closed(pool, on("c")) == Closed(inf, "none", "no account may be used")


def test_an_account_that_was_tried_is_never_leased_again() -> None:
    pool = pool_of(account("a"), account("b"))
    wish = msgspec.structs.replace(WISH, tried={"a"})
    assert {taken(pool, wish).account.id for _ in range(5)} == {"b"}
    assert closed(pool, msgspec.structs.replace(WISH, tried={"a", "b"})).reason == "tried"
    assert closed(pool_of(account("a")), wish).reason == "tried"


def test_the_account_that_was_just_renewed_comes_first() -> None:
    pool = pool_of(account("a"), account("b"))
    assert {taken(pool, msgspec.structs.replace(WISH, wanted="b")).account.id for _ in range(5)} == {"b"}


def test_an_account_that_has_to_be_renewed_first_comes_last() -> None:
    pool = pool_of(account("a", fresh_until=5.0), account("b"))
    assert {taken(pool, now=5.0).account.id for _ in range(5)} == {"b"}
    assert taken(pool, on("a"), now=5.0).account.id == "a"


def test_an_account_at_its_limit_is_not_leased_until_one_comes_back() -> None:
    pool = pool_of(account("a", concurrency=1))
    lease = taken(pool)
    assert (closed(pool).until, closed(pool).reason) == (inf, "busy")
    pool.give_back(lease, NO_VERDICT, 0.0)
    assert taken(pool)


def test_a_pool_by_name_has_its_own_strategy() -> None:
    rules = PoolRules(pools={"night": Choosing(strategy=Strategy.FILL_FIRST)})
    pool = pool_of(account("a"), account("b"), rules=rules)
    assert {taken(pool, msgspec.structs.replace(WISH, pool="night")).account.id for _ in range(4)} == {"a"}
    assert taken(pool).account.id == "b"


# --- pace ---------------------------------------------------------------------------------------------------------


def test_a_paced_account_says_when_the_next_request_fits() -> None:
    pool = pool_of(account("a", rpm=2))
    asked(pool, None, now=1.0)
    asked(pool, None, now=2.0)
    assert (closed(pool, now=3.0).reason, closed(pool, now=3.0).until) == ("paced", 61.0)
    assert taken(pool, now=61.0)


def test_the_pace_of_the_settings_is_for_all_models_together() -> None:
    pool = pool_of(account("a", rpm=1))
    asked(pool, None, wish=on("a", "glm-5"))
    assert closed(pool, on("a", "kimi-k2")).reason == "paced"


def test_a_pace_learned_from_headers_is_for_that_model() -> None:
    pool = pool_of(account("a"))
    headers = {"x-ratelimit-limit-requests": "1"}
    pool.give_back(taken(pool), Outcome(is_success=True, headers=headers), 0.0)
    assert closed(pool).reason == "paced"
    assert taken(pool, on("a", "kimi-k2"))


def test_what_the_settings_say_is_not_unlearned_from_headers() -> None:
    pool = pool_of(account("a", rpm=100))
    pool.give_back(taken(pool), Outcome(is_success=True, headers={"x-ratelimit-limit-requests": "1"}), 0.0)
    assert taken(pool)


def test_a_request_that_never_went_out_frees_its_place_in_the_pace() -> None:
    pool = pool_of(account("a", rpm=1))
    pool.give_back(taken(pool), Outcome(is_unsent=True), 0.0)
    assert taken(pool)


def test_tokens_that_were_used_in_the_end_count_and_not_the_estimate() -> None:
    pool = AccountPool([Account(id="a", provider="p", label="a", tpm=1000)])
    wish = msgspec.structs.replace(WISH, tokens=900)
    pool.give_back(taken(pool, wish), Outcome(is_success=True, tokens=100), 0.0)
    assert taken(pool, wish)


# --- rests --------------------------------------------------------------------------------------------------------


def test_f33_an_account_rests_as_long_as_the_upstream_asks_and_others_answer() -> None:
    pool = pool_of(account("a"), account("b"))
    first = asked(pool, errors.RateLimited("slow", retry_after_s=7.0)).account.id
    assert all(asked(pool, None, now=6.9).account.id != first for _ in range(5))
    assert taken(pool, on(first), now=7.0).is_trial


def test_f61_when_all_rest_it_says_when_the_first_is_back_and_why() -> None:
    pool = pool_of(account("a"), account("b"))
    for seconds in (9.0, 4.0):
        asked(pool, errors.RateLimited("slow down", retry_after_s=seconds))
    found = closed(pool, now=1.0)
    assert (found.until, found.reason) == (4.0, "resting")
    assert "slow down" in found.detail


def test_a_refusal_for_one_model_leaves_the_others() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.QuotaExhausted("used up", retry_after_s=600.0))
    assert closed(pool).until == 600.0
    assert taken(pool, on("a", "kimi-k2"))


def test_a_blocked_account_rests_for_every_model() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.Blocked("blocked"))
    assert closed(pool, on("a", "kimi-k2")).reason == "resting"
    ((_, rest),) = pool.rests(0.0)
    assert (rest.reason, rest.model) == (RestReason.BLOCKED, "")


def test_one_trial_at_a_time_brings_an_account_back() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    trial = taken(pool, now=7.0)
    assert trial.is_trial
    assert (closed(pool, now=7.0).until, closed(pool, now=7.0).reason) == (inf, "trial")
    pool.give_back(trial, GOOD, 8.0)
    assert not taken(pool, now=8.0).is_trial


def test_a_trial_without_a_verdict_lets_the_next_one_try() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    pool.give_back(taken(pool, now=7.0), NO_VERDICT, 8.0)
    assert taken(pool, now=8.0).is_trial


def test_a_trial_that_shows_content_has_gone_well_before_its_end() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    trial = taken(pool, now=7.0)
    pool.vouch(trial, 8.0)
    assert not taken(pool, now=8.0).is_trial
    pool.give_back(trial, GOOD, 60.0)
    assert [one.in_flight for one in pool.standings()] == [1]


def test_a_trial_that_is_vouched_for_counts_once_towards_closing_a_breaker() -> None:
    pool = pool_of(account("a"))
    for _ in range(5):
        asked(pool, FAILING)
    trial = taken(pool, now=100.0)
    pool.vouch(trial, 100.0)
    pool.give_back(trial, GOOD, 101.0)
    assert taken(pool, now=101.0).is_trial, "two good ones close it"


@pytest.mark.parametrize(
    "error",
    [errors.InvalidRequest("no"), errors.ContextOverflow("no"), errors.Rejected("no"), errors.Expired("no"),
     errors.LoginRequired("no"), errors.InternalError("no"), None],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_f36_errors_of_clients_and_credentials_change_nothing(error: GatewayError | None) -> None:
    pool = pool_of(account("a"))
    for _ in range(50):
        pool.give_back(taken(pool), Outcome(error=error), 0.0)
    assert pool.rests(0.0) == ()
    assert not taken(pool).is_trial


def test_a_hint_of_an_overloaded_upstream_is_obeyed_too() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.Overloaded("busy", retry_after_s=3.0))
    assert (closed(pool).until, closed(pool).reason) == (3.0, "resting")


def test_f37_a_renewed_bearer_keeps_its_standing() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    lease = taken(pool, on("a", "kimi-k2"))
    pool.renew(account("a", concurrency=1))
    assert closed(pool).reason == "busy"
    pool.give_back(lease, GOOD, 0.0)
    assert closed(pool).until == 7.0


def test_a_lease_with_a_renewed_bearer_comes_back_as_the_same_one() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    trial = msgspec.structs.replace(taken(pool, now=7.0), account=account("a", concurrency=3))
    pool.give_back(trial, GOOD, 8.0)
    assert not taken(pool, now=8.0).is_trial


def test_resetting_clears_whatever_keeps_an_account_out() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.Blocked("blocked"))
    assert pool.reset("a")
    for _ in range(5):
        asked(pool, errors.Unreachable("refused"))
    assert (closed(pool).reason, closed(pool).until) == ("host", 4.0)
    assert pool.reset("a")
    assert not taken(pool).is_trial
    assert not pool.reset("nobody")


def test_a_restart_remembers_rests() -> None:
    before, after = pool_of(account("a")), pool_of(account("a"), account("b"))
    asked(before, errors.QuotaExhausted("used up", retry_after_s=600.0))
    for id, rest in before.rests(1.0):
        after.put_to_rest(id, rest)
    after.put_to_rest("gone", Rest(reason=RestReason.QUOTA, until=5.0))
    assert {taken(after).account.id for _ in range(4)} == {"b"}
    assert closed(after, on("a")).until == 600.0
    assert before.rests(600.0) == ()


def test_other_rules_are_obeyed_from_then_on() -> None:
    pool = pool_of(account("a"))
    pool.rules = PoolRules(failure_threshold=1, cool_down_s=11.0)
    asked(pool, FAILING)
    ((_, rest),) = pool.rests(0.0)
    assert rest.until == 11.0


# --- failures and breakers ----------------------------------------------------------------------------------------


def test_failures_in_a_row_rest_an_account_and_a_success_begins_anew() -> None:
    pool = pool_of(account("a"), account("b"))
    for error in (FAILING, FAILING, None, FAILING, FAILING):
        asked(pool, error, wish=on("a"))
    assert pool.rests(0.0) == ()
    asked(pool, FAILING, wish=on("a"))
    assert [(id, rest.until) for id, rest in pool.rests(0.0)] == [("a", 30.0)]
    assert {taken(pool).account.id for _ in range(4)} == {"b"}


def test_f62_failures_alone_never_keep_everybody_out() -> None:
    pool = pool_of(account("a"), account("b"))
    for now, name in enumerate("ab"):
        for _ in range(3):
            asked(pool, FAILING, now=now, wish=on(name))
    first, second = taken(pool, now=2.0), taken(pool, now=2.0)
    assert [first.account.id, second.account.id] == ["a", "b"], "the one that failed least recently first"
    assert first.is_trial
    assert second.is_trial
    assert closed(pool, now=2.0).until == inf, "one trial of each at a time"
    pool.give_back(first, GOOD, 3.0)
    assert taken(pool, now=3.0).account.id == "a"


def test_f62_one_that_rests_for_failures_is_not_lent_while_another_is_only_busy() -> None:
    pool = pool_of(account("a"), account("b", concurrency=1))
    for _ in range(3):
        asked(pool, FAILING, wish=on("a"))
    taken(pool, on("b"))
    assert (closed(pool).reason, closed(pool).until) == ("busy", 30.0)


def test_f62_what_an_upstream_asked_for_is_obeyed_even_then() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.RateLimited("slow", retry_after_s=7.0))
    assert closed(pool).reason == "resting"


def test_f3_a_dead_host_is_left_alone_and_probed_after_its_time() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"), account("c", host="other"))
    for name in "ababa":
        asked(pool, errors.Unreachable("refused"), wish=on(name))
    assert (closed(pool, on("b")).reason, closed(pool, on("b")).until) == ("host", 4.0)
    assert taken(pool).account.id == "c"
    probe = taken(pool, on("b"), now=4.0)
    assert probe.is_trial
    assert closed(pool, on("b"), now=4.0).until == inf
    pool.give_back(probe, GOOD, 4.0)
    asked(pool, None, now=4.0, wish=on("b"))
    assert not taken(pool, on("b"), now=4.0).is_trial
    assert not taken(pool, on("a"), now=4.0).is_trial, "nobody was to blame"


def test_r3_an_account_that_fails_never_keeps_its_neighbours_out() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    for _ in range(30):
        asked(pool, FAILING, wish=on("a"))
    assert not taken(pool, on("b")).is_trial


def test_a_bad_answer_of_one_account_brings_a_host_back_to_all() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    for _ in range(5):
        asked(pool, errors.Unreachable("refused"), wish=on("a"))
    for error in (errors.RateLimited("slow"), FAILING):
        asked(pool, error, wish=on("b"), now=10.0 if error is not FAILING else 13.0)
    assert taken(pool, on("b", "kimi-k2"), now=13.0)
    assert pool.standings()[0].host.is_closed


def test_f62_an_account_that_loses_every_connection_to_a_host_that_answers_others_rests_in_the_end() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    lost = 0
    for second in range(30):
        lease = taken(pool, now=second)
        is_bad = lease.account.id == "a"
        lost += is_bad
        pool.give_back(lease, Outcome(error=errors.ConnectionLost("reset")) if is_bad else GOOD, second)
    assert lost == 4, "the first may be the host's fault; three in a row after it are not"
    assert pool.standings()[0].host.is_closed


def test_f3_accounts_of_a_host_that_answers_nobody_are_not_to_blame() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    asked(pool, None, wish=on("a"))
    for second, name in enumerate("abababab", 1):
        lease = taken(pool, on(name), now=100.0 * second)
        pool.give_back(lease, Outcome(error=errors.ConnectionLost("reset")), 100.0 * second)
    assert [standing.is_troubled for standing in pool.standings()] == [False, False]


def test_r3_one_family_of_models_failing_leaves_the_others() -> None:
    pool = pool_of(account("a"))
    error = errors.CutOff("cut")
    for model in ("glm-5", "glm-4.7", "glm-5", "glm-4.7", "glm-4.6"):
        asked(pool, error, wish=on("a", model))
    assert taken(pool, on("a", "glm-4.5")).is_trial, "open, and lent because there is no other"
    assert not taken(pool, on("a", "kimi-k2")).is_trial


def test_a_host_that_is_down_stays_known_when_accounts_are_replaced() -> None:
    pool = pool_of(account("a", host="h"))
    for _ in range(5):
        asked(pool, errors.Unreachable("refused"))
    pool.replace([account("a", host="h"), account("b", host="h")])
    assert closed(pool, on("b")).reason == "host"


@pytest.mark.parametrize("how", ["renewed", "replaced"])
def test_r3_a_trial_of_a_host_ends_although_its_account_has_moved_to_another_address(how: str) -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    for name in "ababa":
        asked(pool, errors.Unreachable("refused"), wish=on(name))
    trial = taken(pool, on("a"), now=4.0)
    if how == "renewed":
        pool.renew(account("a", host="elsewhere"))
    else:
        pool.replace([account("a", host="elsewhere"), account("b", host="h")])
    pool.give_back(trial, GOOD, 5.0)
    assert taken(pool, on("b"), now=5.0).is_trial
    assert not taken(pool, on("a"), now=5.0).is_trial


def test_f63_a_host_with_many_requests_under_way_is_not_given_up_for_five_in_a_row() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"))
    leases = [taken(pool) for _ in range(40)]
    for lease in leases[:6]:
        pool.give_back(lease, Outcome(error=errors.ConnectionLost("reset")), 0.0)
    assert not taken(pool).is_trial


# --- who else there is --------------------------------------------------------------------------------------------


def test_an_account_that_is_free_or_soon_back_is_at_hand_and_one_that_rests_long_is_not() -> None:
    pool = pool_of(account("a"), account("b"))
    not_a = msgspec.structs.replace(WISH, tried={"a"})
    assert pool.prospect(not_a, 0.0, 2.0) == "soon"
    asked(pool, errors.RateLimited("slow", retry_after_s=10.0), wish=on("b"))
    assert (pool.prospect(not_a, 0.0, 2.0), pool.prospect(not_a, 8.5, 2.0)) == ("never", "soon")
    assert pool.prospect(msgspec.structs.replace(on("a"), tried={"a"}), 0.0, 2.0) == "never", "not for this caller"


def test_an_account_that_is_only_busy_may_be_had_later() -> None:
    pool = pool_of(account("a"), account("b", concurrency=1))
    lease = taken(pool, on("b"))
    wish = msgspec.structs.replace(WISH, tried={"a"})
    assert pool.prospect(wish, 0.0, 2.0) == "later"
    pool.give_back(lease, GOOD, 0.0)
    assert pool.prospect(wish, 0.0, 2.0) == "soon"


def test_it_is_known_until_when_an_upstream_asked_an_account_to_rest() -> None:
    pool = pool_of(account("a"))
    lease = asked(pool, errors.RateLimited("slow", retry_after_s=10.0))
    assert pool.asked_to_rest_until(lease, 1.0) == 10.0
    assert pool.asked_to_rest_until(lease, 10.0) is None
    other = pool_of(account("a"))
    assert other.asked_to_rest_until([asked(other, FAILING) for _ in range(3)][-1], 0.0) is None, (
        "nobody asked for that"
    )


def test_names_that_clients_make_up_do_not_end_the_rest_of_a_model() -> None:
    pool = pool_of(account("a"))
    asked(pool, errors.QuotaExhausted("used up", retry_after_s=3600.0))
    for number in range(100):
        asked(pool, errors.RateLimited("no", retry_after_s=60.0), wish=on("a", f"x{number}"), now=2.0)
    assert closed(pool, now=5.0).until == 3600.0


# --- the set changes ----------------------------------------------------------------------------------------------


def test_failures_are_counted_for_people_and_forgotten_by_a_success() -> None:
    pool = pool_of(account("a"))
    for _ in range(2):
        asked(pool, FAILING)
    (standing,) = pool.standings()
    assert (standing.failures_in_a_row, standing.last_error) == (2, "upstream_failing")
    asked(pool, None)
    assert (standing.failures_in_a_row, standing.last_error) == (0, "")


def test_replacing_accounts_keeps_the_counts_of_those_that_stay() -> None:
    pool = pool_of(account("a"), account("b"))
    lease = taken(pool, on("a"))
    pool.replace([account("a", concurrency=1)])
    assert closed(pool).reason == "busy", "the lease that is out counts against the new limit"
    pool.give_back(lease, NO_VERDICT, 0.0)
    assert taken(pool)


def test_a_lease_of_an_account_that_was_removed_comes_back_without_harm() -> None:
    pool = pool_of(account("a"))
    lease = taken(pool)
    pool.replace([])
    pool.give_back(lease, Outcome(error=FAILING), 0.0)
    assert pool.standings() == ()


def test_an_account_that_comes_back_still_counts_the_leases_that_were_out() -> None:
    pool = pool_of(account("a", concurrency=1))
    lease = taken(pool)
    pool.replace([])
    pool.replace([])
    pool.replace([account("a", concurrency=1)])
    assert closed(pool).reason == "busy"
    pool.give_back(lease, NO_VERDICT, 0.0)
    assert taken(pool)


def test_others_counts_accounts_that_were_not_tried() -> None:
    pool = pool_of(account("a"), account("b"), account("c", provider="q"))
    assert pool.others("p", {"a"}) == 1


def test_hosts_that_are_down_are_listed_once_for_each_provider() -> None:
    pool = pool_of(account("a", host="h"), account("b", host="h"), account("c", provider="q", host="h"), account("d"))
    assert pool.open_hosts() == ()
    for _ in range(5):
        pool.give_back(taken(pool, Wish(provider="q", model="m")), Outcome(error=errors.Unreachable("Gone.")), 0.0)
    assert [(host, provider) for host, provider, _ in pool.open_hosts()] == [("h.example", "p"), ("h.example", "q")]
    assert not any(breaker.is_closed for _, _, breaker in pool.open_hosts())
