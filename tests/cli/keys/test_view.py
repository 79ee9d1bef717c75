from __future__ import annotations

from dataclasses import replace
from math import inf

from iflow_cli_proxy.cli.keys import view
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import Budget, ClientKey, Retiring
from iflow_cli_proxy.state import key_shapes as shapes

NOW = 1_800_000_000.0
KEY = ClientKey(name="me", digest=b"d" * 32, created_at=NOW)


def test_a_row_says_what_is_limited() -> None:
    plain = dict(zip(view.COLUMNS, view.row(KEY, NOW), strict=True))
    limited = replace(
        KEY, rpm=1000, tpm=5, concurrency=2, budget=Budget(amount=5, unit="usd"), models=("a", "b"), pool="fast",
        accounts=("iflow/*",), expires_at=NOW + 3600 * 72,
    )  # fmt: skip
    full = dict(zip(view.COLUMNS, view.row(limited, NOW), strict=True))

    assert (plain["limits"], plain["models"], plain["accounts"], plain["expires"]) == (
        "no limit",
        "all",
        "all",
        "never",
    )
    assert full["limits"] == "1,000 rpm, 5 tpm, 2 at once, 5.00 usd a month"
    assert (full["models"], full["accounts"]) == ("a, b", "pool fast, iflow/*")
    assert full["expires"].endswith("(in 3 d)")


def test_what_is_over_is_not_shown_as_if_it_were_to_come() -> None:
    key = replace(KEY, expires_at=NOW - 7200, retiring=(Retiring(digest=b"o", until=NOW - 1),))

    assert dict(view.details(key, NOW))["expires"].endswith("(2 h ago)")
    assert "an older secret works until" not in dict(view.details(key, NOW))
    assert shapes.as_json(key, NOW)["older_secrets_until"] == []


def test_every_key_has_the_same_shape_and_none_shows_its_digest() -> None:
    plain, configured = shapes.as_json(KEY, NOW), shapes.configured_json(1, Secret("sk-configured-0123"))

    assert list(plain) == list(configured)
    assert "0123" in configured["note"]
    assert "configured" not in configured["note"]
    assert (b"d" * 32).hex() not in str(plain)
    assert KEY.expires_at == inf
    assert plain["expires_at"] is None
    assert len(view.configured_row(1, Secret("x"))) == len(view.COLUMNS)
