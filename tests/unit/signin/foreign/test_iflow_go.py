"""iflow-go's accounts."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.signin.foreign import iflow_go
from iflow_cli_proxy.signin.foreign.reading import Part

UUID = "0b5c2d5e-7d34-4f0e-9a51-0123456789ab"
TREE = {
    "uuid": UUID,
    "api_key": "sk-0123456789abcdef",
    "base_url": "https://apis.iflow.cn/v1",
    "auth_type": "oauth-iflow",
    "oauth_access_token": "at-0123456789",
    "oauth_refresh_token": "rt-0123456789",
    "oauth_expires_at": "2026-03-02T10:00:00.123456789+08:00",
    "created_at": "2026-02-01T00:00:00Z",
    "updated_at": "2026-02-02T00:00:00Z",
    "last_used_at": "0001-01-01T00:00:00Z",
    "request_count": 42,
}


def test_an_account_keeps_its_uuid_for_clients_may_know_it() -> None:
    (account,) = iflow_go.read([Part(path=Path(f"{UUID}.json"), tree=TREE)], {}).accounts

    assert (account.id, account.auth_type, account.request_count) == (UUID, AuthType.OAUTH, 42)
    assert (account.created_at, account.updated_at) == (1_769_904_000.0, 1_769_990_400.0)
    assert account.last_used_at is None, "Go writes the year 1 for never"
    assert account.tokens is not None
    assert account.tokens.expires_at == 1_772_416_800.123456


def test_a_key_alone_is_an_account_too() -> None:
    tree = {"uuid": UUID, "api_key": "sk-0123456789abcdef", "oauth_expires_at": "0001-01-01T00:00:00Z"}

    (account,) = iflow_go.read([Part(path=Path("x.json"), tree=tree, modified_at=3.0)], {}).accounts

    assert (account.auth_type, account.updated_at) == (AuthType.API_KEY, 3.0)


def test_an_account_without_a_key_is_skipped() -> None:
    assert (
        iflow_go.read([Part(path=Path("x.json"), tree={"uuid": UUID, "api_key": ""})], {}).skipped[0].name == UUID[:8]
    )
