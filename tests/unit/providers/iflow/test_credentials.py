from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.discovery import Discovery, FileText
from iflow_cli_proxy.providers.iflow.credentials import discover, files, from_environment

HOME = Path("/home/me")
FOLDER = HOME / ".iflow"
TOKENS = {"access_token": "at", "refresh_token": "rt", "expiry_date": 1760172800000}


def search(
    files: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    *,
    folder: Path = FOLDER,
    home: Path | None = HOME,
    times: dict[str, float] | None = None,
    platform: str = "linux",
) -> Discovery:
    """Look into a file system that consists of `files` (name in the folder, or absolute path)."""
    held = {folder / name: content for name, content in (files or {}).items()}

    def read(path: Path) -> FileText | None:
        if path not in held:
            return None
        content = held[path]
        if isinstance(content, OSError):
            raise content
        data = content if isinstance(content, bytes) else jsonx.encode(content)
        return FileText(data=data, modified_at=(times or {}).get(path.name, 1.0))

    return discover(environ or {}, home, read, platform=platform)


def keys(found: Discovery) -> list[str]:
    return [account.api_key.reveal() for account in (*found.accounts, *found.spare)]


def test_an_empty_machine_has_no_account_and_nothing_to_say() -> None:
    assert search() == Discovery()
    assert search(home=None) == Discovery()


def test_the_key_of_the_settings_is_enough() -> None:
    found = search({"settings.json": {"apiKey": " sk-settings\n", "selectedAuthType": "iflow"}})
    [account] = found.accounts
    assert account.api_key.reveal() == "sk-settings"
    assert (account.provider, account.label, account.concurrency, account.base_url) == ("iflow", "iflow-cli", 1, "")
    assert account.origin == str(FOLDER / "settings.json")
    assert found.findings == ()


def test_the_search_key_stands_in_for_a_missing_key() -> None:
    assert keys(search({"settings.json": {"searchApiKey": "sk-search"}})) == ["sk-search"]


def test_every_place_is_searched_in_the_order_of_the_reference() -> None:
    files = {
        "settings.json": {"apiKey": "sk-settings", "searchApiKey": "sk-search"},
        "oauth_creds.json": {**TOKENS, "apiKey": "sk-oauth", "userName": "user_1"},
        "iflow_accounts.json": {"iflowApiKey": "sk-cached"},
    }
    found = search(files, {"IFLOW_API_KEY": "sk-env"})
    assert keys(found) == ["sk-env", "sk-oauth", "sk-cached", "sk-settings", "sk-search"]
    assert len(found.accounts) == 1
    assert found.accounts[0].origin == "IFLOW_API_KEY"
    assert found.accounts[0].label == "user_1"


def test_of_two_sign_in_files_the_newer_one_wins() -> None:
    files = {
        "oauth_creds.json": {**TOKENS, "apiKey": "sk-oauth"},
        "iflow_accounts.json": {"active": None, "old": [], "iflowApiKey": "sk-cached"},
    }
    assert keys(search(files, times={"iflow_accounts.json": 2.0}))[0] == "sk-cached"
    assert keys(search(files, times={"oauth_creds.json": 2.0}))[0] == "sk-oauth"
    assert keys(search(files))[0] == "sk-oauth"


def test_the_same_key_in_several_files_is_one_account() -> None:
    found = search(
        {"settings.json": {"apiKey": "sk-a", "searchApiKey": "sk-a"}, "iflow_accounts.json": {"iflowApiKey": "sk-a"}}
    )
    assert keys(found) == ["sk-a"]


@pytest.mark.parametrize(
    "variables",
    [
        ["IFLOW_apiKey", "IFLOW_API_KEY", "iflow_apiKey", "iflow_API_KEY"],
        ["IFLOW_API_KEY", "iflow_apiKey", "iflow_API_KEY"],
        ["iflow_apiKey", "iflow_API_KEY"],
        ["iflow_API_KEY"],
    ],
)
def test_the_four_spellings_of_a_variable_have_their_order(variables: list[str]) -> None:
    environ = {name: f"sk-{name}" for name in variables}
    assert from_environment(environ, "apiKey") == (f"sk-{variables[0]}", variables[0])


def test_an_empty_variable_does_not_count() -> None:
    assert from_environment({"IFLOW_apiKey": " ", "iflow_apiKey": "sk-x"}, "apiKey") == ("sk-x", "iflow_apiKey")


def test_iflow_home_moves_the_folder() -> None:
    elsewhere = Path("/data/iflow")
    files = {"settings.json": {"apiKey": "sk-there"}}
    assert keys(search(files, {"IFLOW_HOME": "/data/iflow"}, folder=elsewhere)) == ["sk-there"]
    assert keys(search(files, {"IFLOW_HOME": "~/mine"}, folder=HOME / "mine")) == ["sk-there"]
    assert keys(search(files, {"IFLOW_HOME": "/data/iflow"}, folder=elsewhere, home=None)) == ["sk-there"]
    assert keys(search(files, {"IFLOW_HOME": "/somewhere/else"})) == []


@pytest.mark.parametrize(
    ("platform", "path"),
    [("linux", "/etc/iflow-cli/settings.json"), ("darwin", "/Library/Application Support/iFlowCli/settings.json")],
)
def test_the_systems_file_goes_before_the_persons(platform: str, path: str) -> None:
    files = {
        "settings.json": {"apiKey": "sk-mine", "baseUrl": "https://mine.example/v1"},
        path: {"apiKey": "sk-system"},
    }
    [account] = search(files, platform=platform).accounts
    assert account.api_key.reveal() == "sk-system"
    assert account.base_url == "https://mine.example/v1"


def test_the_systems_file_can_be_elsewhere() -> None:
    environ = {"IFLOW_CLI_SYSTEM_SETTINGS_PATH": "/opt/iflow.json"}
    assert keys(search({"/opt/iflow.json": {"apiKey": "sk-system"}}, environ)) == ["sk-system"]


@pytest.mark.parametrize("reference", ["$MY_KEY", "${MY_KEY}"])
def test_a_value_may_name_a_variable(reference: str) -> None:
    assert keys(search({"settings.json": {"apiKey": reference}}, {"MY_KEY": "sk-mine"})) == ["sk-mine"]
    found = search({"settings.json": {"apiKey": reference}})
    assert keys(found) == []
    assert "MY_KEY" in found.findings[0].problem


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("enc:gAAAAABcanary", "encrypted"),
        (12345, "not text"),
        (["sk-canary"], "not text"),
        ("sk-canary\r\nx: y", "characters"),
        ("sk canary", "characters"),
        ("sk-canary-é", "characters"),
    ],
)
def test_a_key_that_cannot_be_used_is_reported_and_not_sent(value: Any, word: str) -> None:
    found = search({"settings.json": {"apiKey": value}})
    assert keys(found) == []
    assert word in found.findings[0].problem
    assert "canary" not in found.findings[0].problem


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{\n  "apiKey": sk\n}', "line 2, column 13"),
        (b'{"apiKey": "sk', "line 1, column 15"),
        (b'\xff\xfe{"apiKey"', "line 1, column 1"),
        (b'["sk-x"]', "object"),
        (b"null", "object"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_f53_a_damaged_file_is_named_with_its_place_and_the_others_still_count(data: bytes, words: str) -> None:
    found = search({"oauth_creds.json": data, "settings.json": {"apiKey": "sk-settings"}})
    assert keys(found) == ["sk-settings"]
    [finding] = found.findings
    assert finding.where == str(FOLDER / "oauth_creds.json")
    assert words in finding.problem
    assert finding.hint


def test_a_file_that_cannot_be_read_is_reported() -> None:
    found = search({"settings.json": PermissionError(13, "Permission denied")})
    assert found.accounts == ()
    assert "Permission denied" in found.findings[0].problem


@pytest.mark.parametrize("tokens", [{"expiry_date": None, "access_token": "at"}, {"refresh_token": "rt"}])
def test_a_sign_in_erased_by_a_failed_refresh_is_reported_and_its_key_still_used(tokens: dict[str, Any]) -> None:
    found = search({"oauth_creds.json": {**tokens, "apiKey": "sk-oauth"}})
    assert keys(found) == ["sk-oauth"]
    assert "failed refresh" in found.findings[0].problem
    assert "sign in again" in found.findings[0].hint


def test_a_sign_in_without_a_key_asks_for_a_login() -> None:
    found = search({"oauth_creds.json": TOKENS})
    assert found.accounts == ()
    assert "without an API key" in found.findings[0].problem


def test_the_key_of_another_service_is_never_sent_to_iflow() -> None:
    files = {
        "settings.json": {
            "selectedAuthType": "openai-compatible",
            "apiKey": "sk-other",
            "baseUrl": "https://other.example/v1",
        },
        "oauth_creds.json": {**TOKENS, "apiKey": "sk-oauth"},
    }
    found = search(files)
    assert keys(found) == ["sk-oauth"]
    assert found.accounts[0].base_url == ""
    assert "another OpenAI-compatible service" in found.findings[0].problem


@pytest.mark.parametrize(
    ("given", "used", "is_reported"),
    [
        ("https://apis.iflow.cn/v1", "https://apis.iflow.cn/v1", False),
        ("https://api.iflow.cn/v1", "https://apis.iflow.cn/v1", True),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1", False),
        ("$BASE/v1", "https://relay.example/v1", False),
        ("ftp://x/", "", True),
        ("https://user@evil.example/v1", "", True),
        ("not a url", "", True),
        (7, "", False),
    ],
)
def test_a_base_url_is_taken_when_it_is_one(given: Any, used: str, is_reported: bool) -> None:
    files = {"settings.json": {"apiKey": "sk-x", "baseUrl": given}}
    found = search(files, {"BASE": "https://relay.example"})
    assert found.accounts[0].base_url == used
    assert bool(found.findings) is is_reported


def test_a_base_url_may_come_from_the_environment() -> None:
    environ = {"IFLOW_API_KEY": "sk-env", "IFLOW_BASE_URL": "http://127.0.0.1:9/v1"}
    assert search(environ=environ).accounts[0].base_url == "http://127.0.0.1:9/v1"


def test_an_odd_user_name_is_no_label() -> None:
    for name in ["a\r\nb", "用户", "", "x" * 65, 7]:
        found = search({"oauth_creds.json": {**TOKENS, "apiKey": "sk-a", "userName": name}})
        assert found.accounts[0].label == "iflow-cli"


def test_every_file_that_is_read_can_be_watched() -> None:
    read: list[Path] = []

    def note(path: Path) -> None:
        read.append(path)

    discover({}, HOME, note)

    assert set(files({}, HOME)) == set(read)
