"""Accounts as they are kept, with every field set."""

from __future__ import annotations

from typing import Any

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens


def saved_account(id: str = "one", **changes: Any) -> SavedAccount:
    """An OAuth account; `changes` replace fields."""
    given: dict[str, Any] = {
        "id": id,
        "provider": "iflow",
        "label": f"{id}@example.com",
        "auth_type": AuthType.OAUTH,
        "api_key": Secret(f"sk-key-of-{id}"),
        "tokens": Tokens(
            access_token=Secret(f"at-of-{id}"),
            refresh_token=Secret(f"rt-of-{id}"),
            expires_at=1_700_003_600.25,
            scope="openid",
            base_url="https://portal.example/v1",
        ),
        "created_at": 1_600_000_000.0,
        "updated_at": 1_600_000_001.0,
    }
    return SavedAccount(**given | changes)


def full_account() -> SavedAccount:
    """No field has its default."""
    return saved_account(
        api_key_expires_at=1_700_086_400.5,
        base_url="https://api.example/v1",
        user_id="u-17",
        refreshed_at=1_700_000_001.0,
        last_used_at=1_700_000_002.0,
        request_count=42,
        last_error="the upstream said no",
        last_error_at=1_700_000_003.0,
        state=AccountState.COOLING,
        failing_since=1_700_000_004.0,
        refresh_failures=3,
        enabled_at=1_769_904_500.0,
        is_refused=True,
        rests_until=1_700_000_005.0,
        rests_model="glm-5",
        rest_reason="quota",
        concurrency=3,
        imported_from="~/.iflow/oauth_creds.json",
        extras={"note": "mine", "list": [1, {"a": None}], "tokens": {"id_token": "x"}},
    )
