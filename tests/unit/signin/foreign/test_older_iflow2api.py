"""The older programs called iflow2api."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iflow_cli_proxy.pool.saved import AccountState, AuthType
from iflow_cli_proxy.signin.foreign import older_iflow2api
from iflow_cli_proxy.signin.foreign.reading import Part, Reading

POOL = {
    "auth": {"enabled": True, "required": True},
    "resilience": {"enabled": True, "failure_threshold": 3},
    "accounts": {
        "acc1": {
            "api_key": "sk-1123456789abcdef",
            "base_url": "https://apis.iflow.cn/v1",
            "max_concurrency": 2,
            "enabled": True,
            "label": "first",
            "created_at": "2026-02-01T00:00:00+00:00",
            "auth_type": "oauth-iflow",
            "oauth_access_token": "at-0123456789",
            "oauth_refresh_token": "rt-0123456789",
            "oauth_expires_at": "2026-03-02T10:00:00+00:00",
            "last_refresh_at": None,
        },
        "acc2": {"api_key": "sk-2123456789abcdef", "max_concurrency": 0, "enabled": False},
        "acc3": {"api_key": "enc:gAAAA"},
        "acc4": "sk-4",
    },
    "keys": {"sk-local-a": {"account": "acc1"}, "sk-local-pool": {"accounts": ["acc1"], "strategy": "least_busy"}},
    "default": {"account": "acc1"},
}


def _pool(tree: dict[str, Any]) -> Reading:
    return older_iflow2api.read_pool([Part(path=Path("keys.json"), tree=tree, modified_at=7.0)], {})


def test_each_account_of_a_pool_comes_with_its_label_its_limit_and_whether_it_was_on() -> None:
    first, second = _pool(POOL).accounts

    assert (first.label, first.auth_type, first.state) == ("first", AuthType.OAUTH, AccountState.OK)
    assert (first.concurrency, first.created_at) == (2, 1_769_904_000.0)
    assert (second.label, second.auth_type, second.state) == ("acc2", AuthType.API_KEY, AccountState.DISABLED)
    assert (second.extras, second.updated_at) == ({}, 7.0)


def test_entries_that_cannot_be_used_are_skipped_one_by_one() -> None:
    assert [(one.name, one.reason) for one in _pool(POOL).skipped] == [
        ("acc3", "its API key is encrypted, and only the program that wrote it can read it"),
        ("acc4", "it is not an object"),
    ]


def test_who_may_use_a_pool_is_handed_on_with_the_places_of_its_accounts() -> None:
    reading = _pool(POOL)

    assert reading.callers is not None
    assert reading.callers.tree is POOL
    assert reading.callers.accounts == {"acc1": 0, "acc2": 1}


def test_a_pool_of_absurd_size_is_read_up_to_a_limit() -> None:
    reading = _pool({"accounts": {f"a{n}": {"api_key": f"sk-{n:016}"} for n in range(1003)}})

    assert len(reading.accounts) == 1000
    assert "first 1000" in reading.notes[0]


def test_accounts_of_another_shape_are_no_accounts() -> None:
    assert _pool({"accounts": ["sk-1"]}).accounts == ()


def test_the_config_file_is_one_account() -> None:
    tree = {"api_key": "sk-0123456789abcdef", "base_url": "https://apis.iflow.cn/v1", "port": 28000}

    (account,) = older_iflow2api.read_config([Part(path=Path("config.json"), tree=tree)], {}).accounts

    assert (account.label, account.auth_type, account.base_url) == ("iflow2api", AuthType.API_KEY, "")


def test_the_config_file_with_an_encrypted_key_is_skipped() -> None:
    (skipped,) = older_iflow2api.read_config([Part(path=Path("c.json"), tree={"api_key": "enc:gAAA"})], {}).skipped

    assert "encrypted" in skipped.reason


def test_the_config_file_of_another_service_is_skipped() -> None:
    tree = {"api_key": "sk-0123456789abcdef", "auth_type": "openai-compatible"}

    assert older_iflow2api.read_config([Part(path=Path("config.json"), tree=tree)], {}).accounts == ()
