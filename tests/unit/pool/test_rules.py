"""The pool's settings are what the documentation says they are."""

from __future__ import annotations

from typing import get_args

from iflow_cli_proxy.config import schema
from iflow_cli_proxy.config.schema import ResilienceSettings, RoutingSettings
from iflow_cli_proxy.pool.rules import PoolRules, Strategy


def test_every_strategy_of_the_config_is_one_of_the_pool() -> None:
    assert {each.value for each in Strategy} == set(get_args(schema.Strategy))


def test_defaults_are_those_of_the_config() -> None:
    rules, resilience, routing = PoolRules(), ResilienceSettings(), RoutingSettings()
    assert rules.choosing.strategy == routing.strategy
    assert rules.sticky_ttl_s == routing.sticky_ttl_s
    assert (rules.failure_threshold, rules.cool_down_s, rules.longest_rest_s) == (
        resilience.failure_threshold,
        resilience.cool_down_s,
        resilience.longest_rest_s,
    )
