"""`token import`: what is found is shown, asked about, written once, and told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.terminal import run_at_terminal

KEY = "sk-0123456789abcdef"
UUID = "0b5c2d5e-7d34-4f0e-9a51-0123456789ab"
TOKENS = {"access_token": "at-0123456789ab", "refresh_token": "rt-0123456789ab", "expiry_date": 1_860_172_800_000}
POOL = {
    "accounts": {
        "acc1": {"api_key": "sk-pool456789abcdef", "label": "first", "enabled": False, "max_concurrency": 2},
        "acc2": {"api_key": "enc:gAAAA"},
    },
    "keys": {"sk-local-a": {"account": "acc1"}},
}


class Home:
    """A person's home folder, with ours beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: Mapping[str, str] = {"HOME": str(folder), "IFLOW2API_HOME": str(folder / "ours")}
        self.store = AccountStore(folder / "ours" / "accounts", clock=SystemClock())

    def put(self, name: str, tree: Any) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jsonx.encode(tree))
        return path

    def put_all(self) -> None:
        """Something in every known place."""
        self.put(".iflow/settings.json", {"selectedAuthType": "oauth-iflow", "apiKey": KEY})
        self.put(".iflow/oauth_creds.json", {**TOKENS, "apiKey": KEY, "userId": "7", "userName": "me"})
        self.put(".qwen/oauth_creds_work.json", {**TOKENS, "resource_url": "portal.qwen.ai"})
        self.put(".iflow2api/keys.json", POOL)
        self.put(".iflow2api/config.json", {"api_key": "sk-pool456789abcdef"})

    def run(self, *args: str, stdin: str = "", **more: str) -> CliResult:
        return run_cli("token", "import", *args, env={**self.env, **more}, stdin=stdin)

    @property
    def accounts(self) -> dict[str, SavedAccount]:
        return {f"{one.provider}/{one.label}": one for one in self.store.load().accounts}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _results(done: CliResult) -> dict[str, str]:
    return {f"{one['where'].rpartition('/')[2]}:{one['label']}": one["result"] for one in done.json["entries"]}


def test_all_known_places_are_searched_and_each_entry_is_accounted_for(home: Home) -> None:
    home.put_all()

    done = home.run("--yes", "--json")

    assert done.code == 0
    assert _results(done) == {
        ".iflow:me": "imported",
        "oauth_creds_work.json:work": "imported",
        "keys.json:first": "imported",
        "config.json:first": "already_there",
        "keys.json:acc2": "skipped",
    }
    assert set(home.accounts) == {"iflow/me", "iflow/first", "qwen/work"}
    assert home.accounts["iflow/first"].state is AccountState.DISABLED
    assert home.accounts["iflow/first"].concurrency == 2
    assert home.accounts["iflow/me"].can_refresh


def test_the_second_time_nothing_is_new(home: Home) -> None:
    home.put_all()
    home.run("--yes")
    before = home.accounts

    done = home.run("--json")  # nothing to write, so nobody is asked

    assert done.code == 0
    assert set(_results(done).values()) == {"already_there", "skipped"}
    assert home.accounts == before


def test_a_newer_sign_in_updates_the_account_that_is_there(home: Home) -> None:
    path = home.put("oauth_creds.json", {**TOKENS, "apiKey": KEY, "userId": "7", "userName": "me"})
    home.run(str(path))
    newer = {"refresh_token": "rt-newer", "access_token": "at-newer", "expiry_date": 1_870_172_800_000}
    home.put("oauth_creds.json", {**TOKENS, **newer, "apiKey": "sk-newer6789abcdef", "userId": "7"})

    done = home.run(str(path), "--json")

    assert _results(done) == {"oauth_creds.json:me": "updated"}
    (account,) = home.accounts.values()
    assert (account.label, account.api_key.reveal()) == ("me", "sk-newer6789abcdef")


def test_a_rehearsal_says_what_would_be_done_and_does_nothing(home: Home) -> None:
    home.put_all()

    done = home.run("--dry-run")

    assert done.code == 0
    assert "new" in done.out
    assert "Nothing was changed." in done.err
    assert home.accounts == {}


def test_a_search_writes_nothing_unasked_where_nobody_can_answer(home: Home) -> None:
    home.put_all()

    done = home.run()

    assert (done.code, home.accounts) == (2, {})
    assert "--yes" in done.err


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal")
@pytest.mark.parametrize(("typed", "code", "count"), [("y\n", 0, 3), ("n\n", 1, 0), ("\x04", 130, 0)])
def test_a_person_sees_the_table_and_decides(home: Home, typed: str, code: int, count: int) -> None:
    home.put_all()

    done = run_at_terminal("token", "import", typed=typed, env=home.env)

    assert (done.code, len(home.accounts)) == (code, count), done.err
    assert "iflow/me" in done.out
    assert "New or newer than ours: 3 accounts, 1 client key" in done.err


def test_a_search_that_finds_nothing_says_what_to_do(home: Home) -> None:
    done = home.run()

    assert (done.code, done.out) == (0, "")
    assert "iflow2api login" in done.err


def test_one_program_is_asked_for_by_name(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.put_all()
    home.put(f"data/accounts/{UUID}.json", {"uuid": UUID, "api_key": "sk-go23456789abcdef"})
    monkeypatch.chdir(home.folder)

    assert _results(home.run("--from", "qwen-code", "--yes", "--json")) == {"oauth_creds_work.json:work": "imported"}
    assert set(_results(home.run("--from", "iflow-go", "--yes", "--json")).values()) == {"imported"}
    assert UUID in {account.id for account in home.accounts.values()}
    unknown = home.run("--from", "nothing")
    assert unknown.code == 2
    assert "qwen-code" in unknown.err


def test_bad_files_are_told_one_by_one_and_the_others_imported(home: Home) -> None:
    good = home.put("good.json", {"api_key": KEY})
    (home.folder / "cut.json").write_text('{"api_key": "sk')
    home.put("list.json", [1])
    home.put("skipped.json", {"api_key": "enc:x"})
    names = ("cut.json", "list.json", "none.json", "skipped.json")

    done = home.run(str(good), *(str(home.folder / name) for name in names))

    assert (done.code, list(home.accounts)) == (3, ["iflow/iflow2api"])
    for name, said in (("cut.json", "line 1"), ("list.json", "not a JSON object"), ("none.json", "does not exist")):
        assert any(name in line and said in line for line in done.err.splitlines())
    assert "encrypted" in done.err


def test_only_bad_files_mean_failure(home: Home) -> None:
    assert home.run(str(home.folder / "none.json")).code == 1


def test_a_pool_in_a_variable_is_found(home: Home) -> None:
    done = home.run("--yes", "--json", IFLOW2API_KEYS_JSON=jsonx.encode(POOL).decode())

    assert _results(done)["IFLOW2API_KEYS_JSON:first"] == "imported"


def test_iflow_home_moves_where_the_client_is_looked_for(home: Home) -> None:
    home.put("moved/oauth_creds.json", {**TOKENS, "apiKey": KEY, "userName": "me"})

    done = home.run("--yes", "--json", IFLOW_HOME=str(home.folder / "moved"))

    assert _results(done) == {"oauth_creds.json:me": "imported"}


def test_it_is_said_that_two_copies_of_a_rotating_token_end_each_other(home: Home) -> None:
    path = home.put("oauth_creds.json", {**TOKENS, "resource_url": "portal.qwen.ai"})
    key = home.put("key.json", {"api_key": KEY})

    assert "Qwen Code has a copy of the same sign-in" in home.run(str(path)).err
    assert "copy of the same" not in home.run(str(path)).err, "nothing was taken this time"
    assert "copy of the same" not in home.run(str(key)).err


def test_i45_foreign_files_stay_as_they_are_and_no_secret_is_told(home: Home) -> None:
    home.put_all()
    files = [path for path in home.folder.rglob("*.json") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    outputs = [home.run(*args) for args in (["--dry-run"], ["--yes", "--json"], ["--yes"])]

    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before
    for done in outputs:
        assert not any(secret in done.out + done.err for secret in (KEY, "sk-pool", "at-0123", "rt-0123", "sk-local"))


def test_a_bundle_moves_accounts_to_another_machine_with_their_ids(home: Home, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    home.put_all()
    home.run("--yes")
    bundle = tmp_path / "accounts.bundle"
    word = {"IFLOW2API_PASSPHRASE": "correct horse"}
    assert run_cli("token", "export", "-o", str(bundle), env={**home.env, **word}).code == 0
    other = Home(tmp_path / "other")

    wrong = other.run(str(bundle), stdin="wrong horse\n")
    right = other.run(str(bundle), stdin="correct horse\n")

    assert (wrong.code, right.code) == (1, 0)
    assert "passphrase is wrong" in wrong.err
    assert {name: one.id for name, one in other.accounts.items()} == {n: one.id for n, one in home.accounts.items()}
    assert other.accounts["iflow/first"].state is AccountState.DISABLED
