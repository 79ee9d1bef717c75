from __future__ import annotations

import re
from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import Forbidden, GatewayError, Unauthenticated
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.client_key import (
    ANYONE,
    Budget,
    Caller,
    ClientKey,
    Retiring,
    allowed_accounts,
    allows_model,
    check_model,
    check_usable,
    digest_of,
    new_secret,
)
from tests.support.entropy import counting_entropy

KEY = ClientKey(name="team", digest=digest_of("sk-team"))
ACCOUNTS = [
    Account(id="i1", provider="iflow", label="Work"),
    Account(id="i2", provider="iflow", label="home"),
    Account(id="q1", provider="qwen", label="work"),
]
POOLS = {"fast": ("iflow/*",)}


def test_a_secret_is_256_bits_in_letters_that_need_no_quotes() -> None:
    entropy = counting_entropy()
    first, second = (new_secret(entropy).reveal() for _ in range(2))

    assert re.fullmatch(r"sk-i2a-[A-Za-z0-9_-]{43}", first)
    assert first != second


def test_i2_any_bytes_have_a_digest() -> None:
    assert len({digest_of(text) for text in ("", "a", "schlüssel", "\udcff\udcfe")}) == 4
    assert len(digest_of("\udcff")) == 32


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"revoked_at": 5.0}, Unauthenticated, "key_revoked"),
        ({"is_disabled": True}, Forbidden, "key_disabled"),
        ({"expires_at": 100.0}, Forbidden, "key_expired"),
        ({"expires_at": 100.0, "revoked_at": 5.0}, Unauthenticated, "key_revoked"),
    ],
)
def test_i6_a_key_out_of_use_says_why(change: dict[str, float], error: type[GatewayError], code: str) -> None:
    key = replace(KEY, **change)

    assert not key.is_usable(100.0)
    with pytest.raises(error) as raised:
        check_usable(key, 100.0)
    assert raised.value.code == code


def test_a_key_ends_exactly_when_it_expires() -> None:
    key = replace(KEY, expires_at=100.0)

    check_usable(key, 99.999)
    assert key.is_usable(99.999)


def test_a_replaced_secret_is_one_of_the_key_until_its_grace_is_over() -> None:
    key = replace(KEY, retiring=(Retiring(digest=b"old", until=10.0),))

    assert key.digests(9.9) == (KEY.digest, b"old")
    assert key.digests(10.0) == (KEY.digest,)


@pytest.mark.parametrize(
    ("asked", "resolved", "expected"),
    [
        ("glm-5", "iflow/glm-5", True),
        ("GLM-5", "iflow/GLM-5", True),
        ("anything", "iflow/glm-5", True),
        ("glm-5", "openrouter/z-ai/other", True),
        ("cheap", "iflow/deepseek", True),
        ("deepseek", "qwen/deepseek", False),
        ("deepseek", "desk/deepseek", True),
        ("xglm-5", "iflow/xglm-5", False),
        ("", "iflow/", False),
    ],
)
def test_i6_models_are_limited_by_the_name_asked_for_or_what_it_stands_for(
    asked: str, resolved: str, expected: bool
) -> None:
    key = replace(KEY, models=("glm-*", "Cheap", "desk/*"))

    assert allows_model(key, asked, resolved) is expected


def test_a_model_that_is_not_allowed_is_forbidden_by_name_of_the_field() -> None:
    check_model(None, "x", "up/x")
    check_model(KEY, "x", "up/x")
    with pytest.raises(Forbidden) as raised:
        check_model(replace(KEY, models=("glm-*",)), "x", "up/x")

    assert (raised.value.param, raised.value.code) == ("model", "model_not_allowed")


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (ANYONE, None),
        (Caller(name="team", key=KEY), None),
        (Caller(key=replace(KEY, accounts=("iflow/work",))), {"i1"}),
        (Caller(key=replace(KEY, accounts=("*/work",))), {"i1", "q1"}),
        (Caller(key=replace(KEY, accounts=("nobody/*",))), set()),
        (Caller(key=replace(KEY, pool="fast")), {"i1", "i2"}),
        (Caller(key=replace(KEY, pool="fast", accounts=("*/work",))), {"i1"}),
        (Caller(key=replace(KEY, pool="gone")), set()),
        (Caller(account_id="q1"), {"q1"}),
        (Caller(account_id="gone"), {"gone"}),
    ],
)
def test_who_calls_decides_which_accounts_may_answer(caller: Caller, expected: set[str] | None) -> None:
    """A pool or an account that is gone leaves nobody, never everybody."""
    assert allowed_accounts(caller, ACCOUNTS, POOLS) == expected


@pytest.mark.parametrize("change", [{"rpm": 1}, {"tpm": 1}, {"concurrency": 1}, {"budget": Budget(amount=1)}])
def test_every_limit_makes_a_key_one_to_count_for(change: dict[str, int]) -> None:
    assert replace(KEY, **change).is_limited
    assert not KEY.is_limited


def test_a_budget_is_worded_for_people() -> None:
    assert str(Budget(amount=1_000_000, per="day")) == "1,000,000 tokens a day"
    assert str(Budget(amount=5, unit="usd")) == "5.00 usd a month"
