"""`token refresh`: what is chosen, what is asked of a real token endpoint, and how the command leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.accounts import refreshing
from iflow_cli_proxy.cli.accounts.naming import open_accounts
from iflow_cli_proxy.cli.accounts.refreshing import (
    Outcome,
    Plan,
    Result,
    exit_code_of,
    refresh_known,
    save_at_last,
    seconds_of,
)
from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.state.accounts import AccountPlace, AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.saved_accounts import saved_account
from tests.support.token_endpoint import TokenEndpoint, token_endpoint

HOUR = 3600.0
R = Outcome.REFRESHED
N = Outcome.NOT_DUE
K = Outcome.NOTHING_TO_REFRESH
L = Outcome.LOGIN_NEEDED
F = Outcome.FAILED


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), (" 1W ", 604_800), ("0s", 0)]
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1h30m", "9" * 20 + "s", "soon"])
def test_any_other_length_of_time_is_wrong_usage(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        seconds_of(text)

    assert "24h" in caught.value.hint


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], ExitCode.OK),
        ([R, R, N, K], ExitCode.OK),
        ([N, K], ExitCode.OK),
        ([F, F, N], ExitCode.FAILED),
        ([F, R], ExitCode.PARTLY_FAILED),
        ([F, L], ExitCode.PARTLY_FAILED),
        ([F, L, R], ExitCode.PARTLY_FAILED),
        ([L], ExitCode.LOGIN_NEEDED),
        ([L, R, N], ExitCode.LOGIN_NEEDED),
    ],
)
def test_the_exit_code_says_what_is_left_to_do(outcomes: list[Outcome], code: ExitCode) -> None:
    assert exit_code_of(Result(account=saved_account(), outcome=each) for each in outcomes) is code


class FullDisk:
    """A refresher whose new tokens are saved at the third try, or never."""

    def __init__(self, tries: int) -> None:
        self.unsaved = {"one": StateError("No space left.")}
        self._tries = tries

    async def save_unsaved(self) -> None:
        self._tries -= 1
        if not self._tries:
            self.unsaved.clear()


@pytest.mark.parametrize(("tries", "pauses"), [(3, 3), (1000, 35)])
async def test_f51_a_full_disk_is_given_time_before_new_tokens_are_given_up(tries: int, pauses: int) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await save_at_last(FullDisk(tries), sleep=sleep)

    assert len(slept) == pauses


async def test_f51_tokens_that_could_not_be_saved_are_a_failure_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(refreshing, "_TRIES_TO_SAVE", 0)
    with token_endpoint(_judge) as endpoint:
        desk = Desk(tmp_path, endpoint)
        desk.add("good")
        accounts = open_accounts(Session(desk.env))

        def full(place: AccountPlace, account: SavedAccount) -> None:
            raise StateError("A file of the gateway could not be saved: No space left on device.")

        monkeypatch.setattr(AccountPlace, "write", full)
        plan = Plan(session=Session(desk.env), names=(), within_s=None, is_forced=False, is_quiet=True, as_json=False)
        code = await refresh_known(accounts, plan)
        await accounts.aclose()

    assert code is ExitCode.FAILED
    assert "could not be saved" in capsys.readouterr().err
    assert desk.refresh_token("good") == "rt-good"


# --- against a token endpoint -------------------------------------------------------------------------------------


class Desk:
    """A provider of the configuration whose accounts are refreshed at a real endpoint."""

    def __init__(self, folder: Path, endpoint: TokenEndpoint) -> None:
        self.endpoint = endpoint
        self.env = {"IFLOW2API_HOME": str(folder), "HOME": str(folder), "IFLOW_HOME": str(folder / "none")}
        self.store = AccountStore(folder / "accounts", clock=SystemClock())
        (folder / "config.toml").write_text(
            f'[providers.desk]\nbase_url = "http://127.0.0.1:9/v1"\n'
            f'[providers.desk.oauth]\ntoken_url = "{endpoint.url}"\nclient_id = "us"\n'
            f'device_url = "{endpoint.url}"\n'
        )

    def add(self, name: str, *, ends_in_s: float = -60.0, **changes: Any) -> None:
        tokens = Tokens(
            access_token=Secret(f"at-{name}-000000"),
            refresh_token=Secret(f"rt-{name}"),
            expires_at=SystemClock().now() + ends_in_s,
        )
        given = {"provider": "desk", "label": name, "api_key": Secret(), "tokens": tokens}
        self.store.create(saved_account(name, **(given | changes)))

    def refresh(self, *args: str) -> CliResult:
        return run_cli("token", "refresh", *args, env=self.env)

    def kept(self, name: str) -> SavedAccount:
        return next(one for one in self.store.load().accounts if one.id == name)

    def refresh_token(self, name: str) -> str:
        tokens = self.kept(name).tokens
        assert tokens is not None
        return tokens.refresh_token.reveal()


def _judge(token: str) -> tuple[int, Any]:
    if "dead" in token:
        return 400, {"error": "invalid_grant", "error_description": "gone"}
    if "down" in token:
        return 503, {"error": "temporarily_unavailable"}
    return 200, {"access_token": f"at-new-{token}", "refresh_token": f"{token}+", "expires_in": 86_400}


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    with token_endpoint(_judge) as endpoint:
        yield Desk(tmp_path, endpoint)


def test_a_named_account_is_refreshed_and_its_rotated_token_kept(desk: Desk) -> None:
    desk.add("good", ends_in_s=40 * HOUR)

    done = desk.refresh("good")

    assert (done.code, desk.endpoint.shown) == (0, ["rt-good"])
    assert desk.refresh_token("good") == "rt-good+"
    assert done.out.splitlines()[1].split() == ["desk/good", "refreshed", "in", "24", "h"]


def test_all_is_meant_by_naming_none_and_takes_only_what_is_due(desk: Desk) -> None:
    desk.add("ended")
    desk.add("fresh", ends_in_s=40 * HOUR)
    desk.add("off", state=AccountState.DISABLED)
    desk.add("key", auth_type=AuthType.API_KEY, tokens=None, api_key=Secret("sk-0123456789ab"))

    done = desk.refresh("--json")

    assert (done.code, desk.endpoint.shown) == (0, ["rt-ended"])
    assert {one["label"]: one["outcome"] for one in done.json["accounts"]} == {"ended": "refreshed", "fresh": "not_due"}
    assert desk.refresh("--all", "--quiet").out == ""
    assert desk.endpoint.shown == ["rt-ended"], "nothing was due any more"


def test_within_takes_what_ends_by_then(desk: Desk) -> None:
    desk.add("soon", ends_in_s=20 * HOUR)
    desk.add("later", ends_in_s=30 * HOUR)

    assert desk.refresh("--all", "--within", "24h").code == 0
    assert desk.endpoint.shown == ["rt-soon"]


def test_force_takes_everything_that_can_be_refreshed(desk: Desk) -> None:
    desk.add("fresh", ends_in_s=40 * HOUR)

    assert desk.refresh("--all", "--force").code == 0
    assert desk.endpoint.shown == ["rt-fresh"]


def test_what_was_refreshed_a_moment_ago_is_told_as_such_and_not_asked_for_again(desk: Desk) -> None:
    desk.add("fresh", ends_in_s=40 * HOUR)

    first, second = desk.refresh("fresh", "--force"), desk.refresh("fresh", "--force")

    assert (first.code, second.code) == (0, 0)
    assert first.out.splitlines()[1].split()[:2] == ["desk/fresh", "refreshed"]
    assert re.search(r"refreshed (just now|\d+ s ago)", second.out)
    assert desk.endpoint.shown == ["rt-fresh"]


def test_a_file_that_cannot_be_read_is_a_part_that_failed_also_when_quiet(desk: Desk) -> None:
    desk.add("fresh", ends_in_s=40 * HOUR)
    (Path(desk.env["HOME"]) / "accounts" / "cut.json").write_text('{"version": 1, "id"')

    everyone, named = desk.refresh("--all", "--quiet"), desk.refresh("fresh", "--within", "30m")

    assert (everyone.code, everyone.out) == (3, "")
    assert len([line for line in everyone.err.splitlines() if "cut.json: " in line and "iflow2api doctor" in line]) == 1
    assert (named.code, "cut.json" in named.err) == (0, False)


def test_an_api_key_is_passed_over_with_all_and_explained_when_named(desk: Desk) -> None:
    desk.add("key", auth_type=AuthType.API_KEY, tokens=None, api_key=Secret("sk-0123456789ab"))

    everyone, named = desk.refresh(), desk.refresh("key")

    assert (everyone.code, everyone.out, everyone.err) == (0, "", "No account has anything to refresh.\n")
    assert named.code == 0
    assert "desk/key has only an API key" in named.err


def test_a_dead_refresh_token_means_exit_4_and_one_line_that_names_the_login(desk: Desk) -> None:
    desk.add("dead")
    desk.add("good")

    done = desk.refresh("--quiet")

    assert (done.code, done.out) == (4, "")
    (line,) = done.err.splitlines()
    assert line.startswith("desk/dead: ")
    assert "iflow2api login" in line
    assert desk.kept("dead").state is AccountState.NEEDS_LOGIN
    assert desk.refresh_token("dead") == "rt-dead", "nothing is thrown away"


def test_what_needs_a_login_is_told_again_without_asking_the_server_again(desk: Desk) -> None:
    desk.add("dead", state=AccountState.NEEDS_LOGIN, last_error="The refresh token is not accepted any more.")

    done = desk.refresh("--quiet")

    assert (done.code, desk.endpoint.shown) == (4, [])
    assert "not accepted any more" in done.err


def test_a_server_that_is_down_means_exit_1_or_3_beside_a_success(desk: Desk) -> None:
    desk.add("down")

    alone = desk.refresh("--quiet")

    assert (alone.code, len(alone.err.splitlines())) == (1, 1)
    assert desk.refresh_token("down") == "rt-down"
    desk.add("good")
    assert desk.refresh("down", "good").code == 3


def test_many_are_refreshed_a_few_at_a_time_and_every_one_once(desk: Desk) -> None:
    names = [f"many-{number}" for number in range(9)]
    for name in names:
        desk.add(name)

    done = desk.refresh("--json")

    assert done.code == 0
    assert sorted(desk.endpoint.shown) == [f"rt-{name}" for name in names]
    assert [one["label"] for one in done.json["accounts"]] == names


def test_i45_no_secret_is_in_what_is_told(desk: Desk) -> None:
    for name in ("good", "dead", "down"):
        desk.add(name)

    done = desk.refresh("--json")

    assert not any(secret in done.out + done.err for secret in ("rt-", "at-good", "at-dead", "at-new"))


def test_names_and_all_exclude_each_other(desk: Desk) -> None:
    desk.add("good")

    assert desk.refresh("good", "--all").code == 2
    assert desk.refresh("nobody").code == 2
    assert desk.refresh("--within", "soon").code == 2


def test_f50_many_processes_at_once_ask_once_and_all_are_content(tmp_path: Path) -> None:
    def slow(token: str) -> tuple[int, Any]:
        time.sleep(0.2)
        return _judge(token)

    with token_endpoint(slow) as endpoint:
        desk = Desk(tmp_path, endpoint)
        desk.add("good")
        desk.add("dead")
        command = [sys.executable, "-m", "iflow_cli_proxy", "token", "refresh", "--within", "24h", "--quiet"]
        env = {**os.environ, **desk.env}
        several = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE) for _ in range(4)]
        ended = [(process.communicate(timeout=30)[1], process.returncode) for process in several]

    assert sorted(endpoint.shown) == ["rt-dead", "rt-good"]
    assert {code for _, code in ended} == {4}
    assert all(len(err.splitlines()) == 1 for err, _ in ended), "one line for each failure, also with a log"
    assert desk.refresh_token("good") == "rt-good+"


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_a_refresh_that_has_begun_come_to_its_end(tmp_path: Path, number: int, code: int) -> None:
    def slow(token: str) -> tuple[int, Any]:
        time.sleep(0.5)
        return _judge(token)

    with token_endpoint(slow) as endpoint:
        desk = Desk(tmp_path, endpoint)
        desk.add("good")
        process = subprocess.Popen(
            [sys.executable, "-m", "iflow_cli_proxy", "token", "refresh"],
            env={**os.environ, **desk.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while not endpoint.shown and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)

    assert process.returncode == code, err
    assert b"Traceback" not in err
    assert desk.refresh_token("good") == "rt-good+", "the server has issued it, so it is kept"
