"""How long an account rests, and what a person can do."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.gateway.turnstile import LONGEST_SLEEP_S
from iflow_cli_proxy.pool.rest import RestReason, begin_rest, next_step
from iflow_cli_proxy.pool.rules import PoolRules

RULES = PoolRules()


def test_f33_a_hint_is_obeyed_exactly() -> None:
    assert begin_rest(RestReason.RATE, 100.0, RULES, hint_s=7.0).until == 107.0


def test_f33_a_hint_is_capped() -> None:
    assert begin_rest(RestReason.QUOTA, 0.0, RULES, hint_s=86_400.0, chance=1.0).until == RULES.longest_rest_s


def test_f33_the_spread_only_makes_it_longer_and_by_a_tenth_at_most() -> None:
    assert begin_rest(RestReason.RATE, 0.0, RULES, hint_s=10.0, chance=1.0).until == pytest.approx(11.0)


@pytest.mark.parametrize("hint_s", [21.0, 600.0, 3590.0])
def test_f33_who_comes_back_at_the_promised_second_waits_for_the_spread_and_is_not_refused(hint_s: float) -> None:
    rest = begin_rest(RestReason.QUOTA, 0.0, RULES, hint_s=hint_s, chance=1.0)
    assert hint_s < rest.until <= hint_s + LONGEST_SLEEP_S


def test_a_burst_limit_without_a_hint_is_soon_over_and_grows_up_to_the_cool_down() -> None:
    lengths = [begin_rest(RestReason.RATE, 0.0, RULES, again=again).until for again in (0, 1, 2, 9, 5000)]
    assert lengths == [2.0, 4.0, 8.0, 30.0, 30.0]


def test_failures_rest_for_the_cool_down_and_twice_as_long_after_each_failed_trial() -> None:
    lengths = [begin_rest(RestReason.FAILING, 0.0, RULES, again=again).until for again in (0, 1, 2, 9)]
    assert lengths == [30.0, 60.0, 120.0, 300.0]


def test_a_cool_down_of_more_than_five_minutes_is_kept_as_it_is() -> None:
    rules = PoolRules(cool_down_s=600.0)
    assert begin_rest(RestReason.FAILING, 0.0, rules, again=5).until == 600.0


def test_each_state_has_a_next_step_of_its_own() -> None:
    steps = {begin_rest(reason, 0.0, RULES, account_id="a1").next_step for reason in RestReason}
    assert len(steps) == len(RestReason)
    assert "" not in steps


def test_the_command_that_ends_it_names_the_account() -> None:
    assert "iflow2api token enable a1" in begin_rest(RestReason.BLOCKED, 0.0, RULES, account_id="a1").next_step


def test_a_next_step_names_the_account_where_one_is_given() -> None:
    named = [next_step(reason, "ada") for reason in RestReason]
    assert any("ada" in step for step in named)
    assert not any("ada" in next_step(reason) for reason in RestReason)
