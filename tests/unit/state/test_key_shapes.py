from __future__ import annotations

from dataclasses import replace

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import Budget, ClientKey
from iflow_cli_proxy.state import key_shapes as shapes

NOW = 1_800_000_000.0
KEY = ClientKey(name="me", digest=b"d" * 32, created_at=NOW)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"expires_at": NOW + 1}, "ok"),
        ({"expires_at": NOW}, "expired"),
        ({"is_disabled": True, "expires_at": NOW}, "disabled"),
        ({"is_disabled": True, "revoked_at": NOW}, "revoked"),
    ],
)
def test_the_state_is_the_reason_that_lasts_longest(changes: dict[str, float], state: str) -> None:
    assert shapes.state_of(replace(KEY, **changes), NOW) == state


def test_what_is_not_limited_is_null_or_empty_and_no_digest_is_told() -> None:
    told = shapes.as_json(KEY, NOW)
    limited = shapes.as_json(replace(KEY, rpm=5, budget=Budget(amount=5, unit="usd")), NOW)

    assert (told["rpm"], told["budget"], told["models"], told["expires_at"]) == (None, None, [], None)
    assert (limited["rpm"], limited["budget"]) == (5, {"amount": 5, "unit": "usd", "per": "month"})
    assert "digest" not in told
    assert set(told) == set(shapes.configured_json(1, Secret("sk-configured-0123")))
