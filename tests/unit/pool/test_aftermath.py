"""Who hears of it when a lease comes back."""

from __future__ import annotations

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.pool import aftermath
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.lease import Lease
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.standing import Standing

RULES = PoolRules()


def leased() -> Lease:
    account, host = Account(id="a", provider="p", label="a"), Breaker(RULES.breaker)
    return Lease(account, Standing(account, host), host, "glm-5", ticket=1)


def fails(lease: Lease, error: errors.GatewayError, on_host: int = 0) -> None:
    aftermath.went_wrong(lease, error, 0.0, RULES, lambda: 0.5, on_host)


def test_a_connection_that_fails_is_the_matter_of_the_host_that_was_asked() -> None:
    lease = leased()
    lease.standing.host = Breaker(RULES.breaker)  # it has moved since
    for _ in range(5):
        fails(lease, errors.Unreachable("refused"))
    assert (lease.host.is_closed, lease.standing.host.is_closed) == (False, True)
    assert lease.standing.failed_at("glm-5") < 0.0, "not the account's"


def test_a_success_is_told_to_the_host_that_was_asked() -> None:
    lease = leased()
    lease.standing.host = Breaker(RULES.breaker)
    aftermath.went_well(lease, 3.0, RULES)
    assert (lease.host.well_at, lease.standing.host.well_at) == (3.0, float("-inf"))


def test_what_an_upstream_asks_for_is_for_the_model_and_a_block_for_the_account() -> None:
    lease = leased()
    fails(lease, errors.RateLimited("slow", retry_after_s=5.0))
    fails(lease, errors.Blocked("blocked"))
    rests = {way.model: way.rest.reason for way in lease.standing.ways() if way.rest is not None}
    assert rests == {"glm-5": RestReason.RATE, "": RestReason.BLOCKED}
    assert lease.standing.is_troubled
