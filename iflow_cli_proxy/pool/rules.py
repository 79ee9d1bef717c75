"""The settings the pool obeys, replaced as a whole when they change. Values; they decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from iflow_cli_proxy.pool.breaker import BreakerRules


class Strategy(StrEnum):
    LEAST_BUSY = "least_busy"
    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"
    FILL_FIRST = "fill_first"
    STICKY = "sticky"


class Choosing(msgspec.Struct, frozen=True, kw_only=True):
    """How one of several free accounts is picked."""

    strategy: Strategy = Strategy.LEAST_BUSY
    weights: Mapping[str, float] = {}
    """By account id, for `weighted`; an account that is not named has its own weight."""


class PoolRules(msgspec.Struct, frozen=True, kw_only=True):
    choosing: Choosing = Choosing()
    pools: Mapping[str, Choosing] = {}
    """By name of the pool, for wishes that name one."""
    failure_threshold: int = 3
    """Failures in a row before an account rests."""
    cool_down_s: float = 30.0
    """How long it rests then; twice as long after every trial that fails, up to five minutes. 0: not at all."""
    longest_rest_s: float = 3600.0
    sticky_ttl_s: float = 3600.0
    breaker: BreakerRules = BreakerRules()
