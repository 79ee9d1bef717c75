"""The vendor client's own files, kept alive without losing a field of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.discovery import LiveSignIn
from iflow_cli_proxy.providers.iflow.live import live_sign_in

FOLDER = Path("/home/me/.iflow")
OAUTH: dict[str, Any] = {
    "access_token": "at-0123", "refresh_token": "rt-4567", "expiry_date": 1760172800000, "token_type": "bearer",
    "scope": "read", "apiKey": "sk-old", "phone": "138****0000",
}  # fmt: skip
ACCOUNT = Account(id="iflow-cli", provider="iflow", label="me", api_key=Secret("sk-old"), base_url="https://relay/v1")
NEWER = Tokens(access_token=Secret("at-new"), refresh_token=Secret("rt-new"), expires_at=1_770_000_000.0)


def live(oauth: dict[str, Any] | None = None) -> LiveSignIn:
    found = live_sign_in(FOLDER, oauth or OAUTH, ACCOUNT)
    assert found is not None
    return found


def merged(at: LiveSignIn, number: int, tree: dict[str, Any]) -> Any:
    """What becomes of one of the three files when a newer credential is written."""
    file = (at.file, *at.also)[number]
    newer = replace(at.account, tokens=NEWER, api_key=Secret("sk-new"))
    return jsonx.decode(file.merge(jsonx.encode(tree), newer))


def test_a_sign_in_with_both_tokens_can_be_refreshed() -> None:
    saved = live().account
    assert (saved.id, saved.label, saved.base_url) == ("iflow-cli", "me", "https://relay/v1")
    assert saved.bearer.reveal() == "sk-old"
    assert saved.tokens is not None
    assert saved.tokens.refresh_token.reveal() == "rt-4567"
    assert saved.tokens.expires_at == 1_760_172_800.0
    assert saved.imported_from == "/home/me/.iflow/oauth_creds.json"
    assert not live().is_kept_fresh


@pytest.mark.parametrize("gone", ["access_token", "refresh_token"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_without_a_pair_of_tokens_there_is_nothing_to_refresh(gone: str, value: Any) -> None:
    assert live_sign_in(FOLDER, {**OAUTH, gone: value}, ACCOUNT) is None


def test_an_expiry_that_a_failed_refresh_has_erased_is_unknown() -> None:
    assert live({**OAUTH, "expiry_date": None}).account.tokens is not None
    assert live({**OAUTH, "expiry_date": None}).account.tokens.expires_at is None  # type: ignore[union-attr]


def test_a_newer_credential_changes_its_fields_and_no_other() -> None:
    assert merged(live(), 0, OAUTH) == {
        **OAUTH, "access_token": "at-new", "refresh_token": "rt-new", "expiry_date": 1770000000000, "apiKey": "sk-new",
    }  # fmt: skip


def test_the_newer_key_goes_to_every_place_that_held_the_old_one() -> None:
    """The stale-key trap: the client reads its key from `iflow_accounts.json` first."""
    assert merged(live(), 1, {"active": None, "old": [], "iflowApiKey": "sk-older"})["iflowApiKey"] == "sk-new"
    settings = {"apiKey": "sk-old", "searchApiKey": "sk-typed", "theme": "dark"}
    assert merged(live(), 2, settings) == {"apiKey": "sk-new", "searchApiKey": "sk-typed", "theme": "dark"}


def test_a_file_without_a_key_gets_none() -> None:
    assert merged(live(), 1, {"active": None}) == {"active": None}
    assert merged(live(), 2, {"theme": "dark"}) == {"theme": "dark"}


def test_what_the_client_has_refreshed_itself_is_read_again() -> None:
    again = live().parse(jsonx.encode({**OAUTH, "refresh_token": "rt-its-own", "apiKey": " sk-its-own\n"}))
    assert again is not None
    assert again.tokens is not None
    assert again.tokens.refresh_token.reveal() == "rt-its-own"
    assert again.bearer.reveal() == "sk-its-own"
    assert live().parse(b'{"apiKey": "sk-only"}') is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{"])
def test_f53_a_damaged_file_is_not_written_over(data: bytes) -> None:
    for file in (live().file, *live().also):
        with pytest.raises(JsonError):
            file.merge(data, live().account)
