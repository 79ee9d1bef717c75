"""`iflow2api doctor` as a shell sees it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from iflow_cli_proxy.doctor import port
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.fake_clock import FakeClock
from tests.support.machines import NOW, write
from tests.support.saved_accounts import saved_account

SHAPE = {"group", "status", "subject", "text", "action", "needs_login", "can_fix", "repaired"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def doctor(home: Path, *args: str, **more: str) -> CliResult:
    env = {"HOME": str(home), "USERPROFILE": str(home), "IFLOW2API_HOME": str(home / "gateway")}
    return run_cli("doctor", *args, env={**env, "IFLOW2API_SERVER_PORT": "0", **more})


def sign_in(home: Path) -> None:
    store = AccountStore(home / "gateway" / "accounts", clock=FakeClock(NOW))
    store.create(saved_account("one", provider="deepseek", tokens=None))


def test_without_accounts_the_exit_code_asks_for_a_login(home: Path) -> None:
    done = doctor(home)

    assert done.code == 4
    assert "iflow2api login" in done.out
    assert "1 failure." in done.err
    assert list(home.iterdir()) == []


def test_on_a_pipe_a_finding_is_a_line_of_aligned_columns(home: Path) -> None:
    sign_in(home)
    done = doctor(home)
    heading, *lines = done.out.splitlines()

    assert done.code == 0
    assert heading.split() == ["group", "status", "what", "finding", "repair"]
    assert {line[heading.index("status") :].split()[0] for line in lines} <= {"ok", "note", "warning"}
    assert "All is well." in done.err
    assert "\x1b" not in done.out


def test_json_has_a_stable_shape_and_no_conversation(home: Path) -> None:
    sign_in(home)
    done = doctor(home, "--json")

    assert done.err == ""
    assert set(done.json) == {"findings", "counts", "exit_code"}
    assert set(done.json["counts"]) == {"ok", "note", "warning", "failure", "gone"}
    assert all(set(one) == SHAPE for one in done.json["findings"])
    assert done.json["exit_code"] == done.code == 0
    assert "key-of-one" not in done.out


def test_failures_that_no_login_ends_are_exit_code_1(home: Path) -> None:
    write(home / "gateway" / "config.toml", "[server]\nhots = 1\n")
    done = doctor(home)

    assert done.code == 1
    assert "did you mean server.host?" in done.out


def test_fix_says_what_it_will_do_and_what_it_did(home: Path) -> None:
    sign_in(home)
    write(home / "gateway" / "accounts" / "two.json", "{")

    before, during, after = doctor(home), doctor(home, "--fix"), doctor(home)

    assert (before.code, during.code, after.code) == (1, 0, 0)
    assert "`iflow2api doctor --fix` repairs 1 of them." in before.err
    assert "Will set ~/gateway/accounts/two.json aside." in during.err
    assert "repaired: it is called two.json.damaged now" in during.out


@pytest.mark.skipif(os.name != "posix", reason="modes say nothing there")
def test_i42_without_fix_open_files_of_others_stay_as_they_are(home: Path) -> None:
    path = write(home / ".qwen" / "oauth_creds.json", {"access_token": "at-0123456789"}, mode=0o644)

    assert "is open to other users (mode 0644)" in doctor(home).out
    assert path.stat().st_mode & 0o777 == 0o644
    doctor(home, "--fix")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_exit_code_1_with_the_next_free_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_HEALTH_WITHIN_S", 0.2)
    sign_in(home)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        done = doctor(home, IFLOW2API_SERVER_PORT=str(holder.getsockname()[1]))

    assert done.code == 1
    assert "iflow2api serve --port" in done.out


def test_a_provider_that_nobody_knows_is_wrong_usage(home: Path) -> None:
    done = doctor(home, "opnai")

    assert done.code == 2
    assert "did you mean openai?" in done.err


def test_help_names_the_exit_codes_and_the_json() -> None:
    words = " ".join(run_cli("doctor", "--help").out.split())

    assert "Exit codes: 0 nothing is worse than a warning" in words
    assert "needs_login" in words
