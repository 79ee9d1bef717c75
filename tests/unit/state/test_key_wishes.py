from __future__ import annotations

from math import inf
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.pool.client_key import Budget, ClientKey, Retiring
from iflow_cli_proxy.state.key_wishes import Wish, key_from, revoked, rotated, seconds_of

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
KEY = ClientKey(name="me", digest=b"first")


def made(**wish: Any) -> ClientKey:
    return key_from(Wish(**{"name": "me", **wish}), b"d", NOW)


@pytest.mark.parametrize(
    ("budget", "per", "expected"),
    [
        ("", "", None),
        ("1000000", "", Budget(amount=1_000_000)),
        ("1_000_000 tokens", "day", Budget(amount=1_000_000, per="day")),
        ("5usd", "day", Budget(amount=5, unit="usd", per="day")),
        ("$0.50", "month", Budget(amount=0.5, unit="usd")),
        ("2.5 USD", "", Budget(amount=2.5, unit="usd")),
    ],
)
def test_a_budget_is_in_tokens_unless_it_says_money(budget: str, per: str, expected: Budget | None) -> None:
    assert made(budget=budget, per=per).budget == expected


@pytest.mark.parametrize(
    ("wish", "flag"),
    [
        ({"budget": word}, "--budget") for word in ("0", "-5", "5.5", "5eur", "usd", "1e9", "0usd", " ", "٣", "9" * 30)
    ]
    + [({"budget": "5", "per": "week"}, "--per"), ({"per": "day"}, "--budget")]
    + [({"expires": word}, "--expires") for word in ("0d", "30", "soon", "2027-13-01", "2026-01-01", "-1d")]
    + [({"expires": "2027-01-15"}, "--expires"), ({"expires": "999999w"}, "--expires")]
    + [({"expires": f"{day}:59{zone}"}, "--expires")
       for day, zone in (("9999-12-31T23:59", "-23:59"), ("0001-01-01T00:00", "+23:59"))]
    + [({"models": ("a,,b",)}, "--models"), ({"accounts": ("",)}, "--accounts"), ({"rpm": 10**16}, "--rpm")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_the_name_of_its_flag(wish: dict[str, Any], flag: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(**wish)

    assert raised.value.param == flag


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        ("", inf),
        ("90s", NOW + 90),
        ("12H", NOW + 12 * 3600),
        ("30d", NOW + 30 * 86_400),
        ("2w", NOW + 14 * 86_400),
        ("2027-01-16", NOW + 16 * 3600),
        ("2027-01-15T09:00:00Z", NOW + 3600),
        ("2027-01-15T09:00:00+00:30", NOW + 1800),
        ("2027-01-15 09:00", NOW + 3600),
    ],
)
def test_an_end_is_a_length_of_time_or_a_date_of_utc(expires: str, expected: float) -> None:
    assert made(expires=expires).expires_at == expected


def test_lists_come_between_commas_or_as_several_flags() -> None:
    assert made(models=("a, b", "c")).models == ("a", "b", "c")


@pytest.mark.parametrize("text", ["", "h", "0h", "1.5h", "1 hour", "-1h", "1234567h"])
def test_a_length_of_time_is_a_number_and_a_letter(text: str) -> None:
    with pytest.raises(ConfigError):
        seconds_of(text, "--grace")


def test_every_secret_whose_grace_is_not_over_stays_when_another_follows() -> None:
    first = rotated(KEY, b"second", NOW, 100.0)
    second = rotated(first, b"third", NOW + 50, 100.0)
    third = rotated(second, b"fourth", NOW + 120, 10.0)

    assert second.retiring == (Retiring(digest=b"first", until=NOW + 100), Retiring(digest=b"second", until=NOW + 150))
    assert [one.digest for one in third.retiring] == [b"second", b"third"]
    assert rotated(second, b"x", NOW, 0.0).retiring == ()


def test_the_first_time_a_key_was_revoked_is_the_one_that_counts() -> None:
    once = revoked(rotated(KEY, b"second", NOW, 100.0), NOW)

    assert (once.revoked_at, once.retiring) == (NOW, ())
    assert revoked(once, NOW + 5) == once
    with pytest.raises(ConfigError, match="revoked for good"):
        rotated(once, b"x", NOW, 0.0)


def test_a_grace_longer_than_any_calendar_is_refused() -> None:
    with pytest.raises(ConfigError, match="century") as raised:
        seconds_of("999999w", "--grace")
    assert raised.value.param == "--grace"
