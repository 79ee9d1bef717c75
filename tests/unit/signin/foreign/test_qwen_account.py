"""One Qwen account from the fields of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.foreign.qwen_account import qwen_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Unusable

TREE = {"access_token": "at-0123456789", "refresh_token": "rt-0123456789", "resource_url": "portal.qwen.ai"}


def _account(tree: dict[str, Any]) -> tuple[SavedAccount, list[str]]:
    found = Collector()
    account = qwen_account(found, Part(path=Path("x.json"), tree=tree, modified_at=5.0), "me", expires_at=9.0)
    return account, found.notes


def test_the_access_token_is_the_bearer_and_the_resource_url_the_address() -> None:
    account, notes = _account(TREE)

    assert (account.provider, account.auth_type, account.bearer.reveal()) == ("qwen", AuthType.OAUTH, "at-0123456789")
    assert account.base_url == "https://portal.qwen.ai/v1"
    assert (account.can_refresh, account.bearer_expires_at, account.updated_at) == (True, 9.0, 5.0)
    assert notes == []


def test_without_a_refresh_token_it_is_taken_and_said() -> None:
    account, notes = _account({**TREE, "refresh_token": None})

    assert not account.can_refresh
    assert "no refresh token" in notes[0]


@pytest.mark.parametrize("url", ["evil.example.com", "http://portal.qwen.ai", "https://qwen.ai@evil.example.com"])
def test_an_address_that_is_not_the_vendors_is_not_followed(url: str) -> None:
    account, notes = _account({**TREE, "resource_url": url})

    assert account.base_url == ""
    assert "not the vendor's" in notes[0]


def test_without_an_access_token_there_is_no_account() -> None:
    with pytest.raises(Unusable, match="no access token"):
        _account({"refresh_token": "rt-0123456789"})
