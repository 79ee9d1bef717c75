"""What a lease and its refusal say when they say only the least."""

from __future__ import annotations

from math import inf

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker, BreakerRules
from iflow_cli_proxy.pool.lease import Closed, Lease
from iflow_cli_proxy.pool.standing import Standing


def test_two_leases_are_never_the_same() -> None:
    account, host = Account(id="a", provider="p", label="a"), Breaker(BreakerRules())
    standing = Standing(account, host)
    assert Lease(account, standing, host) != Lease(account, standing, host)


def test_nobody_is_waited_for_unless_it_is_said() -> None:
    assert (Closed(inf, "none").rest, Closed(inf, "none").paced) == (None, None)
