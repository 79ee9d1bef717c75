"""Leases and what is counted of them."""

from __future__ import annotations

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import AccountPool


def account(name: str, *, provider: str = "p", concurrency: int = 0) -> Account:
    return Account(id=name, provider=provider, label=name, concurrency=concurrency)


def test_the_least_busy_account_is_leased() -> None:
    pool = AccountPool([account("a"), account("b")])
    first, second = pool.take("p"), pool.take("p")
    assert first is not None
    assert second is not None
    assert {first.account.id, second.account.id} == {"a", "b"}


def test_an_account_at_its_limit_is_not_leased_until_one_comes_back() -> None:
    pool = AccountPool([account("a", concurrency=1)])
    lease = pool.take("p")
    assert lease is not None
    assert pool.take("p") is None
    pool.give_back(lease)
    assert pool.take("p") is not None


def test_accounts_of_other_providers_are_never_leased() -> None:
    assert AccountPool([account("a", provider="q")]).take("p") is None


def test_an_account_not_yet_tried_is_preferred_however_busy() -> None:
    pool = AccountPool([account("a"), account("b")])
    for _ in range(3):
        pool.take("p", tried=["a"])
    assert [standing.in_flight for standing in pool.standings("p")] == [0, 3]


def test_a_tried_account_is_leased_when_no_other_is_left() -> None:
    lease = AccountPool([account("a")]).take("p", tried=["a"])
    assert lease is not None


def test_failures_are_counted_in_a_row_and_forgotten_by_a_success() -> None:
    pool = AccountPool([account("a")])
    for kind in ("upstream_failing", "upstream_failing"):
        lease = pool.take("p")
        assert lease is not None
        pool.give_back(lease, kind)
    (standing,) = pool.standings()
    assert (standing.failures_in_a_row, standing.last_error) == (2, "upstream_failing")
    lease = pool.take("p")
    assert lease is not None
    pool.give_back(lease)
    assert (standing.failures_in_a_row, standing.last_error) == (0, "")


def test_replacing_accounts_keeps_the_counts_of_those_that_stay() -> None:
    pool = AccountPool([account("a"), account("b")])
    lease = pool.take("p", tried=["b"])
    assert lease is not None
    pool.replace([account("a", concurrency=1)])
    assert pool.take("p") is None, "the lease that is out counts against the new limit"
    pool.give_back(lease)
    assert pool.take("p") is not None


def test_a_lease_of_an_account_that_was_removed_comes_back_without_harm() -> None:
    pool = AccountPool([account("a")])
    lease = pool.take("p")
    assert lease is not None
    pool.replace([])
    pool.give_back(lease)
    assert pool.standings() == ()


def test_others_counts_accounts_that_were_not_tried() -> None:
    pool = AccountPool([account("a"), account("b"), account("c", provider="q")])
    assert pool.others("p", {"a"}) == 1


def test_an_account_that_comes_back_still_counts_the_leases_that_were_out() -> None:
    one = Account(id="a", provider="p", label="a", concurrency=1)
    pool = AccountPool([one])
    lease = pool.take("p")
    assert lease is not None
    pool.replace([])
    pool.replace([])
    pool.replace([one])

    assert pool.take("p") is None
    pool.give_back(lease)
    assert pool.take("p") is not None
