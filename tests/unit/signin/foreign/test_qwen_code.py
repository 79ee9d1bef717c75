"""Qwen Code's file and the named ones beside it."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.signin.foreign import qwen_code
from iflow_cli_proxy.signin.foreign.reading import Part

TREE = {
    "access_token": "at-0123456789",
    "refresh_token": "rt-0123456789",
    "token_type": "Bearer",
    "resource_url": "portal.qwen.ai",
    "expiry_date": 1_760_172_800_000,
}


def test_each_file_is_an_account_called_as_the_file_is() -> None:
    names = ["oauth_creds.json", "oauth_creds_me@work.example.json", "anything.json"]
    parts = [Part(path=Path("/home/me/.qwen") / name, tree=TREE) for name in names]

    reading = qwen_code.read(parts, {})

    assert [account.label for account in reading.accounts] == ["default", "me@work.example", "default"]
    assert {account.bearer_expires_at for account in reading.accounts} == {1_760_172_800.0}


def test_a_file_without_a_token_is_skipped_and_the_others_are_read() -> None:
    parts = [Part(path=Path("oauth_creds_a.json"), tree={}), Part(path=Path("oauth_creds_b.json"), tree=TREE)]

    reading = qwen_code.read(parts, {})

    assert [account.label for account in reading.accounts] == ["b"]
    assert [skipped.name for skipped in reading.skipped] == ["a"]
