"""The three files of iFlow's client as one sign-in, with everything that is known to be wrong in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.foreign import iflow_cli
from iflow_cli_proxy.signin.foreign.reading import Part, Reading

FOLDER = Path("/home/me/.iflow")
OLD_KEY, NEW_KEY = "sk-old456789abcdef0", "sk-new456789abcdef0"
OAUTH = {
    "access_token": "at-0123456789",
    "refresh_token": "rt-0123456789",
    "expiry_date": 1_760_172_800_000,
    "token_type": "bearer",
    "scope": "read",
    "apiKey": NEW_KEY,
    "userId": "1000001",
    "userName": "user_1000001",
    "phone": "138****0000",
}
SETTINGS = {"selectedAuthType": "oauth-iflow", "apiKey": OLD_KEY, "baseUrl": "https://relay.example.com/v1"}


def _part(name: str, tree: dict[str, Any], modified_at: float = 100.0) -> Part:
    return Part(path=FOLDER / name, tree=tree, modified_at=modified_at)


def _read(*parts: Part, **environ: str) -> Reading:
    return iflow_cli.read(parts, environ)


def _only(reading: Reading) -> SavedAccount:
    assert reading.skipped == ()
    (account,) = reading.accounts
    return account


def test_all_files_together_are_one_sign_in() -> None:
    account = _only(_read(_part("settings.json", SETTINGS), _part("oauth_creds.json", OAUTH)))

    assert (account.provider, account.label, account.user_id) == ("iflow", "user_1000001", "1000001")
    assert (account.auth_type, account.api_key.reveal()) == (AuthType.OAUTH, NEW_KEY)
    assert account.base_url == "https://relay.example.com/v1"
    assert account.imported_from == str(FOLDER / "oauth_creds.json")
    assert account.tokens is not None
    assert (account.tokens.refresh_token.reveal(), account.tokens.expires_at) == ("rt-0123456789", 1_760_172_800.0)


@pytest.mark.parametrize(("cached_at", "key"), [(200.0, OLD_KEY), (50.0, NEW_KEY), (100.0, NEW_KEY)])
def test_of_two_keys_that_differ_the_one_of_the_newer_file_is_taken_and_that_is_told(
    cached_at: float, key: str
) -> None:
    reading = _read(_part("oauth_creds.json", OAUTH), _part("iflow_accounts.json", {"iflowApiKey": OLD_KEY}, cached_at))

    assert _only(reading).api_key.reveal() == key
    assert any("different API keys" in note for note in reading.notes)


@pytest.mark.parametrize("name", ["apiKey", "api_key", "searchApiKey", "search_api_key"])
def test_a_key_in_the_settings_alone_is_an_account_in_every_spelling(name: str) -> None:
    account = _only(_read(_part("settings.json", {name: f" {OLD_KEY}\n", "base_url": "https://api.iflow.cn/v1"})))

    assert (account.auth_type, account.api_key.reveal(), account.base_url) == (AuthType.API_KEY, OLD_KEY, "")
    assert account.label == "iflow-cli"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-02T10:00:00", datetime(2026, 3, 2, 10, 0, 0).timestamp()),  # noqa: DTZ001 -- naive on purpose
        ("2026-03-02T10:00:00+08:00", datetime.fromisoformat("2026-03-02T10:00:00+08:00").timestamp()),
    ],
)
def test_tokens_that_other_proxies_keep_among_the_settings_are_read_with_their_local_times(
    text: str, at: float
) -> None:
    tree = {
        "apiKey": OLD_KEY,
        "oauth_access_token": "at-0123456789",
        "oauth_refresh_token": "rt-0123456789",
        "oauth_expires_at": text,
        "api_key_expires_at": text,
    }

    account = _only(_read(_part("settings.json", tree)))

    assert account.tokens is not None
    assert (account.tokens.expires_at, account.api_key_expires_at) == (at, at)


def test_a_key_that_refers_to_a_variable_is_filled_in() -> None:
    assert _only(_read(_part("settings.json", {"apiKey": "${MINE}"}), MINE=NEW_KEY)).api_key.reveal() == NEW_KEY

    reading = _read(_part("settings.json", {"apiKey": "$GONE"}))

    assert reading.accounts == ()
    assert "GONE" in reading.notes[0]


def test_the_key_of_another_service_is_left_where_it_is() -> None:
    reading = _read(_part("settings.json", {**SETTINGS, "selectedAuthType": "openai-compatible"}))

    assert reading.accounts == ()
    assert "another OpenAI-compatible service" in reading.notes[0]


def test_an_encrypted_key_is_reported_and_another_place_serves() -> None:
    reading = _read(
        _part("settings.json", {"apiKey": "enc:gAAAA"}), _part("iflow_accounts.json", {"iflowApiKey": NEW_KEY})
    )

    assert _only(reading).api_key.reveal() == NEW_KEY
    assert any("encrypted" in note for note in reading.notes)


def test_a_file_that_a_failed_refresh_has_damaged_is_told_and_its_key_still_taken() -> None:
    reading = _read(_part("oauth_creds.json", {"expiry_date": None, "apiKey": NEW_KEY}))

    assert (_only(reading).auth_type, _only(reading).api_key.reveal()) == (AuthType.API_KEY, NEW_KEY)
    assert "damaged by a failed refresh" in reading.notes[0]


def test_a_sign_in_without_a_key_waits_for_its_first_refresh() -> None:
    reading = _read(_part("oauth_creds.json", {**OAUTH, "apiKey": ""}))

    assert _only(reading).bearer_expires_at == 0.0
    assert "has no API key yet" in reading.notes[0]


def test_an_unknown_expiry_stays_unknown() -> None:
    account = _only(_read(_part("oauth_creds.json", {**OAUTH, "expiry_date": None})))

    assert account.tokens is not None
    assert account.tokens.expires_at is None


def test_settings_without_any_key_are_skipped_with_the_reason() -> None:
    reading = _read(_part("settings.json", {"selectedAuthType": "oauth-iflow", "theme": "dark"}))

    assert reading.accounts == ()
    assert reading.skipped[0].reason == "it holds no API key"


def test_tokens_that_are_no_text_are_left_out_and_the_key_stays() -> None:
    reading = _read(_part("oauth_creds.json", {**OAUTH, "access_token": 7}))

    assert _only(reading).auth_type is AuthType.API_KEY
    assert "access token is not text" in reading.notes[0]
