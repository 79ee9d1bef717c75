"""What stands in the way of a request, and what is forgotten in time."""

from __future__ import annotations

from math import inf

import pytest

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.rest import RestReason, begin_rest
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.standing import Hindrance, Standing, host_of
from iflow_cli_proxy.pool.wish import Wish

RULES = PoolRules()
WISH = Wish(provider="p", model="m")


def standing(*, concurrency: int = 0, rpm: int = 0) -> Standing:
    account = Account(id="a", provider="p", label="a", concurrency=concurrency, rpm=rpm)
    return Standing(account, Breaker(RULES.breaker))


def rest(one: Standing, reason: RestReason, *, model: str = "", for_s: float = 10.0) -> None:
    one.way(model).rest = begin_rest(reason, 0.0, RULES, model=model, hint_s=for_s)
    one.note_state()


def found(one: Standing, model: str = "m", now: float = 1.0) -> Hindrance:
    hindrance = one.hindrance(Wish(provider="p", model=model), now)
    assert hindrance is not None
    assert not one.is_free(Wish(provider="p", model=model), now)
    return hindrance


def test_a_rest_for_one_model_leaves_the_others_free() -> None:
    one = standing()
    rest(one, RestReason.RATE, model="m")
    assert (found(one).reason, found(one).until) == ("resting", 10.0)
    assert one.is_free(Wish(provider="p", model="other"), 1.0)


def test_a_rest_of_the_whole_account_is_for_every_model() -> None:
    one = standing()
    rest(one, RestReason.BLOCKED)
    assert found(one).until == 10.0


def test_the_latest_of_all_that_is_in_the_way_counts() -> None:
    one = standing(rpm=1)
    rest(one, RestReason.RATE, model="m")
    one.use("m", 0.5, 0)
    assert (found(one).reason, found(one).until) == ("paced", 60.5)


def test_a_full_account_is_busy_whatever_else_is_true_of_it() -> None:
    one = standing(concurrency=1)
    rest(one, RestReason.FAILING, model="m")
    one.in_flight = 1
    assert found(one) == Hindrance(inf, "busy", found(one).detail, True)


def test_f62_in_need_failures_of_its_own_do_not_count() -> None:
    one = standing()
    rest(one, RestReason.FAILING, model="m")
    assert found(one).is_ejected
    assert one.hindrance(WISH, 1.0, in_need=True) is None


def test_f62_even_in_need_an_open_host_and_what_an_upstream_asked_for_count() -> None:
    one = standing()
    rest(one, RestReason.FAILING, model="m")
    for _ in range(5):
        one.host.went_wrong(1, 0.0, RULES.breaker, lambda: 0.5)
    assert (found(one).reason, found(one).until) == ("resting", 30.0)
    hindrance = one.hindrance(WISH, 1.0, in_need=True)
    assert hindrance is not None
    assert (hindrance.reason, hindrance.until) == ("host", 5.0)
    rest(one, RestReason.RATE)
    assert one.hindrance(WISH, 5.0, in_need=True) is not None


def test_one_that_is_on_trial_waits_for_its_verdict() -> None:
    one = standing()
    rest(one, RestReason.FAILING, model="m")
    one.way("m").trial = 3
    assert (found(one, now=40.0).until, found(one, now=40.0).reason) == (inf, "trial")
    assert one.hindrance(WISH, 40.0, in_need=True) is not None
    one.release(3, "m")
    assert one.is_free(WISH, 40.0)


def test_a_trial_of_one_that_was_told_to_rest_again_is_not_waited_for() -> None:
    one = standing()
    rest(one, RestReason.FAILING, model="m")
    one.way("m").trial = 3
    rest(one, RestReason.QUOTA)
    assert (found(one).until, found(one).reason) == (10.0, "resting")


def test_models_nobody_asks_for_any_more_make_room_and_rests_stay() -> None:
    one = standing()
    rest(one, RestReason.BLOCKED)
    rest(one, RestReason.RATE, model="m")
    for number in range(1000):
        one.use(f"{number}-model", 0.0, 0)
        one.breaker(f"{number}-model", RULES)
    assert len(list(one.ways())) == 65, "and the whole account"
    assert {way.model for way in one.ways()} >= {"", "m"}


def test_names_that_clients_make_up_push_out_no_rest_that_ends_later_and_no_model_of_a_catalogue() -> None:
    one = standing()
    one.use("listed", 0.0, 0, is_listed=True)
    rest(one, RestReason.QUOTA, model="hour", for_s=3600.0)
    for number in range(100):
        rest(one, RestReason.RATE, model=f"{number}-model", for_s=60.0)
    assert {way.model for way in one.ways()} >= {"listed", "hour", "99-model"}
    for number in range(100):
        one.use(f"{number}-idle", 0.0, 0)
    assert {way.model for way in one.ways()} >= {"listed", "hour"}
    assert len(list(one.ways())) == 65


def test_names_that_clients_make_up_push_out_no_pace_that_still_holds() -> None:
    one = standing()
    one.use("m", 0.0, 0)
    one.way("m").pace.learn({"x-ratelimit-limit-requests": "1", "x-ratelimit-remaining-requests": "0"}, 0.0)
    one.note_state()
    for number in range(100):
        one.use(f"{number}-model", 1.0, 0)
    assert found(one).reason == "paced"


def test_what_is_on_trial_is_not_forgotten() -> None:
    one = standing()
    rest(one, RestReason.RATE, model="m", for_s=1.0)
    one.way("m").trial = 7
    for number in range(100):
        rest(one, RestReason.RATE, model=f"{number}-model", for_s=60.0)
    assert one.way("m").trial == 7


def test_a_breaker_that_is_open_is_not_forgotten_for_closed_ones() -> None:
    one = standing()
    for _ in range(RULES.breaker.in_a_row):
        one.breaker("glm-5", RULES).went_wrong(0, 1.0, RULES.breaker, lambda: 0.5)
    for first in "abcdefghijk":
        for second in "abcdefghijk":
            one.breaker(f"{first}{second}", RULES)
    assert [*one.open_breakers()] == ["glm models"]


def test_what_rests_of_the_whole_account_stays_however_many_models_rest() -> None:
    one = standing()
    rest(one, RestReason.BLOCKED)
    for number in range(100):
        rest(one, RestReason.RATE, model=f"{number}-model")
    assert one.way("").rest is not None


def test_clearing_leaves_what_runs_and_the_settings_own_limits() -> None:
    one = standing(concurrency=1, rpm=5)
    rest(one, RestReason.BLOCKED)
    one.in_flight = 1
    one.clear(RULES)
    assert (one.in_flight, one.is_paced, one.is_troubled) == (1, True, False)


@pytest.mark.parametrize(
    ("base_url", "host"), [("", "p"), ("https://Api.Example.com/v1", "api.example.com"), ("http://h:81/v1", "h:81")]
)
def test_accounts_of_one_address_share_a_host(base_url: str, host: str) -> None:
    assert host_of(Account(id="a", provider="p", label="a", base_url=base_url)) == host


def test_what_it_keeps_to_and_what_is_broken_can_be_told() -> None:
    one = standing(rpm=7)
    one.way("m").pace.learn({"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "4"}, 0.0)
    assert [*one.paces(1.0)] == [("", 7, 0), ("m", 5, 0)]
    assert [*one.open_breakers()] == []
    for _ in range(RULES.breaker.in_a_row):
        one.breaker("glm-5", RULES).went_wrong(0, 1.0, RULES.breaker, lambda: 0.5)
        one.host.went_wrong(0, 1.0, RULES.breaker, lambda: 0.5)
    assert [*one.open_breakers()] == ["host", "glm models"]
