"""`token`: the group as a person and a script meet it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.ledgers import fill, row
from tests.support.saved_accounts import full_account, saved_account
from tests.support.terminal import run_at_terminal

SECRETS = ("sk-key-of", "at-of", "rt-of")


class Ours:
    """A folder of ours with nothing of other programs around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: Mapping[str, str] = {"HOME": str(folder), "IFLOW2API_HOME": str(folder)}
        self.store = AccountStore(folder / "accounts", clock=SystemClock())

    def add(self, id: str, **changes: Any) -> None:
        self.store.create(saved_account(id, **({"label": id} | changes)))

    def run(self, *args: str, **more: str) -> CliResult:
        return run_cli("token", *args, env={**self.env, **more})

    @property
    def kept(self) -> dict[str, SavedAccount]:
        return {one.id: one for one in self.store.load().accounts}


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    return Ours(tmp_path)


def _live_qwen(folder: Path) -> Path:
    path = folder / ".qwen" / "oauth_creds.json"
    path.parent.mkdir()
    tree = {"access_token": "at-of-qwen", "refresh_token": "rt-of-qwen", "token_type": "Bearer",
            "resource_url": "portal.qwen.ai", "expiry_date": 1_990_000_000_000}  # fmt: skip
    path.write_bytes(jsonx.encode(tree))
    path.chmod(0o600)
    return path


# --- list and show ------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_to_do_next(ours: Ours) -> None:
    done = ours.run("list")

    assert (done.code, done.out) == (0, "")
    assert "iflow2api login" in done.err
    assert ours.run("list", "--json").json == {"accounts": [], "findings": []}


def test_the_list_shows_every_account_and_no_secret(ours: Ours) -> None:
    ours.add("first", request_count=1234)
    ours.add("second", state=AccountState.NEEDS_LOGIN, last_error="The refresh token is dead.")

    done = ours.run("list")

    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["provider", "label", "state", "expires"]
    assert "1,234" in lines[1]
    assert "needs login" in lines[2]
    assert "The refresh token is dead." in lines[2]
    assert not any(secret in done.out for secret in SECRETS)


def test_the_list_and_one_account_show_todays_use(ours: Ours) -> None:
    ours.add("first")
    used = {"account": "first", "prompt": 1000, "completion": 234}
    fill(ours.folder / "usage.sqlite3", [row(1, at=SystemClock().now(), provider=ours.kept["first"].provider, **used)])

    assert "1 · 1.23k tokens" in ours.run("list").out
    assert "1 · 1.23k tokens" in ours.run("show", "first").out
    (listed,) = ours.run("list", "--json").json["accounts"]
    assert listed["today"] == {"requests": 1, "errors": 0, "tokens": 1234, "cost": {}}
    assert ours.run("show", "first", "--json").json["today"] == listed["today"]


def test_keys_of_the_environment_and_damaged_files_are_told_too(ours: Ours) -> None:
    ours.add("first")
    (ours.folder / "accounts" / "broken.json").write_text('{\n  "id": ')
    (ours.folder / "accounts" / "broken.json").chmod(0o600)

    done = ours.run("list", "--json", DEEPSEEK_API_KEY="sk-deepseek0123456789",
                    IFLOW2API_PROVIDERS_DEEPSEEK_ENABLED="true")  # fmt: skip

    assert done.code == 0
    assert {one["label"]: one["origin"] for one in done.json["accounts"]} == {"first": "ours", "deepseek": "variable"}
    (finding,) = [one for one in done.json["findings"] if "broken" in one["where"]]
    assert "line 2" in finding["problem"]
    assert "broken.json" in done.err


def test_i45_one_account_is_shown_whole_and_its_secrets_only_on_purpose(ours: Ours) -> None:
    ours.store.create(full_account())

    masked, revealed = ours.run("show", "one@example.com"), ours.run("show", "one@example.com", "--reveal")

    assert not any(secret in masked.out for secret in SECRETS)
    assert all(secret in revealed.out for secret in SECRETS)
    assert str(ours.folder / "accounts" / "one.json") in masked.out
    assert "the upstream said no" in masked.out
    assert ours.run("show", "one@example.com", "--json").json["label"] == "one@example.com"


def test_a_name_nobody_has_is_wrong_usage_with_candidates(ours: Ours) -> None:
    ours.add("first")

    done = ours.run("show", "frist")

    assert done.code == 2
    assert "first" in done.err


# --- enable, disable, delete --------------------------------------------------------------------------------------


def test_accounts_are_switched_off_and_on(ours: Ours) -> None:
    ours.add("first")
    ours.add("second", state=AccountState.NEEDS_LOGIN, is_refused=True, last_error="no")

    assert ours.run("disable", "first", "second", "--json").json == {"disabled": ["first", "second"], "failed": []}
    assert {one.state for one in ours.kept.values()} == {AccountState.DISABLED}
    assert ours.run("enable", "second").err == "iflow/second is enabled.\n"
    assert (ours.kept["second"].state, ours.kept["second"].last_error) == (AccountState.OK, "")
    assert not ours.kept["second"].is_refused


def test_nothing_is_changed_when_one_of_the_names_fits_nobody(ours: Ours) -> None:
    ours.add("first")

    assert ours.run("disable", "first", "nobody").code == 2
    assert ours.kept["first"].state is AccountState.OK


def test_what_cannot_be_changed_is_told_beside_what_was(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    from iflow_cli_proxy.core.errors import StateError

    ours.add("first")
    ours.add("second")
    change = AccountStore.change

    def failing(store: AccountStore, id: str, edit: Any) -> SavedAccount:
        if id == "first":
            raise StateError("A file of the gateway could not be saved: No space left on device.")
        return change(store, id, edit)

    monkeypatch.setattr(AccountStore, "change", failing)
    done = ours.run("disable", "first", "second", "--json")

    assert (done.code, done.json) == (3, {"disabled": ["second"], "failed": ["first"]})
    assert "No space left" in done.err
    assert ours.run("disable", "first").code == 1


def test_deleting_needs_a_yes(ours: Ours) -> None:
    ours.add("first")

    refused = ours.run("delete", "first")

    assert (refused.code, set(ours.kept)) == (2, {"first"})
    assert "--yes" in refused.err
    assert ours.run("delete", "first", "--yes").err == "iflow/first is deleted.\n"
    assert ours.kept == {}


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal")
@pytest.mark.parametrize(("typed", "code", "kept"), [("y\n", 0, set()), ("\n", 1, {"first"})])
def test_a_person_is_asked_before_anything_is_deleted(ours: Ours, typed: str, code: int, kept: set[str]) -> None:
    ours.add("first")

    done = run_at_terminal("token", "delete", "first", typed=typed, env=ours.env)

    assert (done.code, set(ours.kept)) == (code, kept)
    assert "Delete iflow/first?" in done.err


@pytest.mark.parametrize("command", [["disable"], ["enable"], ["delete", "--yes"]])
def test_what_belongs_to_others_is_not_changed_and_it_is_said_whose_it_is(ours: Ours, command: list[str]) -> None:
    path = _live_qwen(ours.folder)
    (ours.folder / "config.toml").write_text("[providers.qwen]\n[providers.deepseek]\n")
    environ = {"DEEPSEEK_API_KEY": "sk-deepseek0123456789"}
    listed = ours.run("list", "--json", **environ).json["accounts"]
    ids = {one["origin"]: one["id"] for one in listed}

    live = ours.run(*command, ids["live"], **environ)
    key = ours.run(*command, ids["variable"], **environ)

    assert (live.code, key.code) == (2, 2)
    assert str(path) in live.err
    assert "DEEPSEEK_API_KEY" in key.err
    assert path.exists()


def test_a_bearer_that_is_only_a_key_says_so(ours: Ours) -> None:
    ours.add("first", auth_type=AuthType.API_KEY, tokens=None, api_key=Secret("sk-0123456789abcdef"))

    assert "API key" in ours.run("list").out


# --- the group ----------------------------------------------------------------------------------------------------


def test_every_command_of_the_group_explains_itself() -> None:
    listed = run_cli("token", "--help").out

    for name in ("list", "show", "import", "refresh", "enable", "disable", "delete", "export"):
        assert f" {name} " in listed
        assert run_cli("token", name, "--help").code == 0


def test_the_help_of_refresh_documents_its_exit_codes() -> None:
    text = " ".join(run_cli("token", "refresh", "--help").out.split())

    assert "0 all fine or nothing to do" in text
    assert "4 what is left needs a login" in text
