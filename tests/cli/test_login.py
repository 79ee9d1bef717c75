"""`login` as a shell sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.login import _providers_beginning
from tests.support.cli import CliResult, run_cli

KEY = "sk-0123456789abcdef"


def login(home: Path, *args: str, stdin: str = "") -> CliResult:
    return run_cli("login", *args, env={"IFLOW2API_HOME": str(home), "HOME": str(home)}, stdin=stdin)


def test_a_key_from_a_pipe_becomes_an_account(tmp_path: Path) -> None:
    done = login(tmp_path, "deepseek", "--api-key", "--name", "work", "--no-verify", "--json", stdin=f"{KEY}\n")

    assert done.code == 0
    assert {name: done.json[name] for name in ("provider", "label", "state", "verified")} == {
        "provider": "deepseek",
        "label": "work",
        "state": "ok",
        "verified": None,
    }
    (file,) = (tmp_path / "accounts").glob("*.json")
    assert KEY in file.read_text()
    assert KEY not in done.out + done.err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["nobody"],
        ["deepseek", "--device"],
        ["deepseek", "--browser", "--paste"],
        ["deepseek", "--name", "../x"],
        ["deepseek", "--timeout", "0"],
        ["deepseek", "--nonsense"],
        ["deepseek", "--api-key"],
    ],
    ids=" ".join,
)
def test_wrong_usage_leaves_with_2_and_says_what_is_right(tmp_path: Path, args: list[str]) -> None:
    done = login(tmp_path, *args)

    assert (done.code, done.out) == (2, "")
    assert done.err
    assert not list(tmp_path.glob("accounts/*.json"))


@pytest.mark.parametrize(
    "args",
    [["deepseek", "--api-key", KEY], ["--api-key", KEY], ["deepseek", KEY], ["deepseek", f"--api-key={KEY}"]],
    ids=["after the flag", "no provider", "no flag", "with an equals sign"],
)
def test_i43_a_key_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path, args: list[str]) -> None:
    done = login(tmp_path, *args)

    assert done.code == 2
    assert KEY not in done.out + done.err
    assert not list(tmp_path.glob("accounts/*.json"))


def test_i43_the_help_says_where_secrets_are_taken_from() -> None:
    text = " ".join(run_cli("login", "--help").out.split())

    assert "never taken as arguments" in text
    assert "Exit codes:" in text


def test_a_shell_offers_the_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IFLOW2API_HOME", str(tmp_path))
    assert _providers_beginning("if") == ["iflow"]
    assert _providers_beginning("nobody") == []

    (tmp_path / "config.toml").write_text("not toml")
    assert _providers_beginning("") == []
