from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.providers.discovery import Discovery, FileText
from iflow_cli_proxy.providers.qwen.credentials import discover, files, merge, preferred_label

HOME = Path("/home/me")
FOLDER = HOME / ".qwen"
CREDS = {
    "access_token": "at-0123",
    "refresh_token": "rt-4567",
    "token_type": "Bearer",
    "resource_url": "portal.qwen.ai",
    "expiry_date": 1760172800000,
}
DEFAULT = "oauth_creds.json"


def search(
    held: dict[str, Any],
    environ: dict[str, str] | None = None,
    *,
    home: Path | None = HOME,
    configured: str = "",
    listing: OSError | None = None,
) -> Discovery:
    def read(path: Path) -> FileText | None:
        if path.parent != FOLDER or path.name not in held:
            return None
        content = held[path.name]
        if isinstance(content, OSError):
            raise content
        return FileText(data=content if isinstance(content, bytes) else jsonx.encode(content), modified_at=1.0)

    def list_names(folder: Path) -> Iterable[str]:
        if listing:
            raise listing
        return list(held) if folder == FOLDER else ()

    return discover(environ or {}, home, read, list_names, configured=configured)


def only(found: Discovery) -> SavedAccount:
    [live] = found.live
    return live.account


# --- which files --------------------------------------------------------------------------------------------------


def test_an_empty_machine_has_nothing_to_say() -> None:
    assert search({}) == Discovery()
    assert search({}, home=None) == Discovery()


def test_the_default_file_is_an_account_that_is_used_where_it_lies() -> None:
    found = search({DEFAULT: CREDS})
    [live] = found.live
    account = live.account
    assert (account.id, account.label, account.provider) == ("qwen-cli", "default", "qwen")
    assert account.auth_type is AuthType.OAUTH
    assert account.bearer == Secret("at-0123")
    assert account.tokens is not None
    assert account.tokens.refresh_token == Secret("rt-4567")
    assert account.bearer_expires_at == 1760172800.0
    assert account.base_url == account.tokens.base_url == "https://portal.qwen.ai/v1"
    assert live.file.path == FOLDER / DEFAULT
    assert live.lock == FOLDER / "oauth_creds.lock"
    assert live.is_used
    assert live.is_kept_fresh
    assert found.findings == ()


def test_named_files_are_used_in_sorted_order_and_the_default_one_rests_beside_them() -> None:
    found = search({"oauth_creds_work.json": CREDS, DEFAULT: CREDS, "oauth_creds_a@b.c.json": CREDS, "notes.json": {}})
    assert [(live.account.id, live.account.label, live.is_used) for live in found.live] == [
        ("qwen-cli-a@b.c", "a@b.c", True),
        ("qwen-cli-work", "work", True),
        ("qwen-cli", "default", False),
    ]
    assert found.live[0].lock == FOLDER / "oauth_creds_a@b.c.lock"
    [warning] = found.findings
    assert warning.where == str(FOLDER / DEFAULT)
    assert "QWEN_CODE_AUTH_USE=false" in warning.hint


def test_named_files_that_cannot_be_used_do_not_bench_the_default_one() -> None:
    found = search({"oauth_creds_work.json": b"", DEFAULT: CREDS})
    assert [(live.account.label, live.is_used) for live in found.live] == [("default", True)]
    assert [finding.where for finding in found.findings] == [str(FOLDER / "oauth_creds_work.json")]


@pytest.mark.parametrize(("value", "is_there"), [("false", False), ("FALSE", False), ("true", True), ("", True)])
def test_the_default_file_can_be_switched_off(value: str, is_there: bool) -> None:
    assert bool(search({DEFAULT: CREDS}, {"QWEN_CODE_AUTH_USE": value}).live) is is_there
    both = search({DEFAULT: b"{", "oauth_creds_a.json": CREDS}, {"QWEN_CODE_AUTH_USE": "false"})
    assert both.findings == ()


@pytest.mark.parametrize("name", ["", "..", "a b", "a\nb", "ä", "x" * 65, "a%2e"])
def test_i39_a_name_that_could_be_anything_is_not_used(name: str) -> None:
    found = search({f"oauth_creds_{name}.json": CREDS})
    assert found.live == ()
    assert [finding.where for finding in found.findings] == [str(FOLDER)]
    assert all(finding.problem.isascii() and finding.problem.isprintable() for finding in found.findings)


def test_the_files_to_watch_are_those_that_are_read() -> None:
    names = ["oauth_creds_b.json", "oauth_creds_a.json", "oauth_creds.lock", "oauth_creds_..json"]
    watched = files(HOME, lambda folder: names)
    assert [path.name for path in watched] == ["oauth_creds_a.json", "oauth_creds_b.json", DEFAULT]
    assert files(None, lambda folder: names) == ()


def test_a_folder_that_cannot_be_looked_into_is_told_and_the_default_file_read_all_the_same() -> None:
    found = search({DEFAULT: CREDS}, listing=PermissionError(13, "Permission denied"))
    assert only(found).label == "default"
    assert [finding.problem for finding in found.findings] == ["cannot be looked into: Permission denied"]


def test_the_account_that_goes_first_is_named_in_the_environment() -> None:
    assert preferred_label({"DEFAULT_ACCOUNT": " work "}) == "work"
    assert preferred_label({}) == ""


# --- which fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expiry", [1760172800000, 1760172800000.0, "1760172800000", 1760172800])
def test_an_expiry_is_understood_in_milliseconds_as_digits_and_in_seconds(expiry: Any) -> None:
    found = search({DEFAULT: {**CREDS, "expiry_date": expiry}})
    assert only(found).bearer_expires_at == 1760172800.0
    assert found.findings == ()


@pytest.mark.parametrize("expiry", [None, "soon", True, -5, 0, [], 1e300])
def test_an_expiry_that_says_nothing_is_told_and_not_guessed(expiry: Any) -> None:
    found = search({DEFAULT: {**CREDS, "expiry_date": expiry}})
    tokens = only(found).tokens
    assert tokens is not None
    assert tokens.expires_at is None
    assert "expiry_date" in found.findings[0].problem


def test_missing_fields_are_named_and_nothing_of_the_others() -> None:
    found = search({DEFAULT: {"access_token": "at-canary", "refresh_token": ""}})
    [finding] = found.findings
    assert finding.problem == "lacks a usable refresh_token, token_type, expiry_date"
    assert "canary" not in repr(found)
    assert not only(found).can_refresh


@pytest.mark.parametrize("creds", [{}, {"access_token": 5}, {"access_token": "a\r\nX: y"}, {"token_type": "Bearer"}])
def test_a_file_without_any_token_is_no_account(creds: Any) -> None:
    found = search({DEFAULT: creds})
    assert found.live == ()
    assert "access_token" in found.findings[0].problem


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null"])
def test_f53_a_damaged_file_is_a_finding(content: bytes) -> None:
    found = search({DEFAULT: content})
    assert found.live == ()
    assert [finding.where for finding in found.findings] == [str(FOLDER / DEFAULT)]


def test_a_file_that_cannot_be_read_is_a_finding() -> None:
    found = search({DEFAULT: PermissionError(13, "Permission denied")})
    assert (found.live, len(found.findings)) == ((), 1)


def test_the_address_may_have_its_older_name() -> None:
    creds = {name: value for name, value in CREDS.items() if name != "resource_url"}
    assert only(search({DEFAULT: {**creds, "endpoint": "dashscope.aliyuncs.com/compatible-mode"}})).base_url == (
        "https://dashscope.aliyuncs.com/compatible-mode/v1"
    )
    assert only(search({DEFAULT: creds})).base_url == ""


def test_an_address_of_a_stranger_is_told_and_not_used() -> None:
    held = {DEFAULT: {**CREDS, "resource_url": "http://127.0.0.1:9801"}}
    found = search(held)
    assert only(found).base_url == ""
    assert "not one of Qwen's" in found.findings[0].problem
    named = search(held, configured="http://127.0.0.1:9801/v1")
    assert only(named).base_url == "http://127.0.0.1:9801/v1"
    assert named.findings == ()


# --- keeping it alive ---------------------------------------------------------------------------------------------


def test_a_file_is_read_again_as_the_same_account() -> None:
    [live] = search({DEFAULT: CREDS}).live
    assert live.parse(jsonx.encode(CREDS)) == live.account
    newer = live.parse(jsonx.encode({**CREDS, "access_token": "at-2"}))
    assert newer is not None
    assert (newer.id, newer.bearer) == ("qwen-cli", Secret("at-2"))
    assert live.parse(b"{}") is None
    with pytest.raises(jsonx.JsonError):
        live.parse(b"{")


def refreshed(**changes: Any) -> SavedAccount:
    new = {"access_token": Secret("at-2"), "refresh_token": Secret("rt-2"), "expires_at": 1760200000.5, **changes}
    return replace(only(search({DEFAULT: CREDS})), tokens=Tokens(**new))


def test_newer_tokens_are_written_as_the_vendors_client_writes_them_and_the_rest_stays() -> None:
    old = {**CREDS, "x": {"kept": [1]}, "token_type": "BEARER"}
    written = merge(jsonx.encode(old), refreshed(base_url="https://portal.qwen.ai/v1"))
    assert jsonx.decode(written) == {
        **old,
        "access_token": "at-2",
        "refresh_token": "rt-2",
        "expiry_date": 1760200000500,
    }


def test_what_the_answer_did_not_say_stays_as_it_was() -> None:
    written = jsonx.decode(merge(jsonx.encode(CREDS), refreshed(refresh_token=Secret(), expires_at=None)))
    assert written == {**CREDS, "access_token": "at-2"}


def test_a_token_whose_end_nobody_told_does_not_inherit_that_of_the_old_one() -> None:
    """It would count as ended at once, and be refreshed every five minutes for ever."""
    account = replace(refreshed(expires_at=None), refreshed_at=1_770_000_000.5)
    assert jsonx.decode(merge(jsonx.encode(CREDS), account))["expiry_date"] == 1_770_003_600_500


def test_a_new_address_is_written_without_what_the_client_adds() -> None:
    account = refreshed(base_url="https://dashscope.aliyuncs.com/compatible-mode/v1")
    written = merge(jsonx.encode({**CREDS, "token_type": None}), account)
    assert jsonx.decode(written)["resource_url"] == "dashscope.aliyuncs.com/compatible-mode/v1"
    assert jsonx.decode(written)["token_type"] == "Bearer"


def test_an_address_that_means_the_same_keeps_its_spelling() -> None:
    old = {**CREDS, "resource_url": "https://portal.qwen.ai/v1/"}
    written = merge(jsonx.encode(old), refreshed(base_url="https://portal.qwen.ai/v1"))
    assert jsonx.decode(written)["resource_url"] == "https://portal.qwen.ai/v1/"


def test_what_was_written_is_read_as_the_same_account() -> None:
    [live] = search({DEFAULT: CREDS}).live
    account = refreshed(base_url="https://portal.qwen.ai/v1")
    assert live.parse(live.file.merge(jsonx.encode(CREDS), account)) == account


def test_a_damaged_file_is_never_written_over() -> None:
    for damaged in (b"", b"{", b"[]"):
        with pytest.raises(jsonx.JsonError):
            merge(damaged, refreshed())


def test_an_account_without_tokens_changes_nothing() -> None:
    assert merge(b'{"a":1}', replace(refreshed(), tokens=None)) == b'{"a":1}'
