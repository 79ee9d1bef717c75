"""Which account is meant, and whose it is."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.accounts.naming import find, find_all, names_to_complete, refuse_foreign, tell
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.wiring.accounts import KnownAccount
from tests.support.saved_accounts import saved_account

PLACE: Any = object()
IDS = ("aaaa1111-0000", "aaaa2222-0000", "bbbb3333-0000")


def _known(place: Place | None = PLACE, is_ours: bool = True, origin: str = "", **changes: Any) -> KnownAccount:
    return KnownAccount(saved=saved_account(**changes), place=place, is_ours=is_ours, origin=origin)


def _three() -> list[KnownAccount]:
    return [
        _known(id=IDS[0], label="work"),
        _known(id=IDS[1], label="Home"),
        _known(id=IDS[2], label="work", provider="qwen"),
    ]


@pytest.mark.parametrize(
    ("wanted", "id"),
    [
        (IDS[1], IDS[1]),
        (IDS[1].upper(), IDS[1]),
        ("aaaa1", IDS[0]),
        ("BBBB", IDS[2]),
        ("Home", IDS[1]),
        ("home", IDS[1]),
        ("qwen/work", IDS[2]),
        (" iflow/work ", IDS[0]),
    ],
)
def test_an_account_is_called_by_id_prefix_label_or_both_words(wanted: str, id: str) -> None:
    assert find(_three(), wanted).saved.id == id


@pytest.mark.parametrize(
    ("wanted", "said", "hint"),
    [
        ("work", "could be 2", "iflow/work (aaaa1111), qwen/work (bbbb3333)"),
        ("aaaa", "could be 2", "iflow/work (aaaa1111), iflow/Home (aaaa2222)"),
        ("aaa", "no account called 'aaa'", "known: "),
        ("Hoem", "no account called", "did you mean"),
        ("", "no account called", "known: "),
    ],
)
def test_a_name_that_fits_none_or_several_is_an_error_of_usage_with_candidates(
    wanted: str, said: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        find(_three(), wanted)

    assert hint in caught.value.hint
    assert (caught.value.param or "").startswith("--")


def test_many_candidates_are_cut_short() -> None:
    with pytest.raises(ConfigError) as caught:
        find([_known(id=f"aaaa{n}", label="x", provider=f"p{n}") for n in range(20)], "x")

    assert caught.value.hint.endswith("and 12 more")


def test_without_any_account_the_next_step_is_a_login() -> None:
    with pytest.raises(ConfigError) as caught:
        find([], "x")

    assert caught.value.hint == "iflow2api login"


def test_accounts_named_twice_count_once() -> None:
    assert [one.saved.id for one in find_all(_three(), ["Home", "aaaa2", "qwen/work"])] == [IDS[1], IDS[2]]


def test_only_ours_can_be_changed_and_the_others_are_told_whose_they_are() -> None:
    refuse_foreign(_known(), "deleted")
    with pytest.raises(ConfigError, match=r"of another program.*not deleted") as live:
        refuse_foreign(_known(is_ours=False, origin="/home/me/.qwen/oauth_creds.json"), "deleted")
    with pytest.raises(ConfigError, match="of the configuration or the environment") as key:
        refuse_foreign(_known(place=None, is_ours=False, origin="IFLOW_API_KEY"), "deleted")

    assert (live.value.detail, key.value.detail) == ("/home/me/.qwen/oauth_creds.json", "IFLOW_API_KEY")


def test_a_tab_in_the_shell_never_asks_for_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", Terminal("correct horse\n"))
    (tmp_path / "config.toml").write_text('[security]\nencrypt = "passphrase"\n')

    assert names_to_complete(Session({"IFLOW2API_HOME": str(tmp_path)})) == []
    assert sys.stdin.read() == "correct horse\n"


def test_findings_are_told_on_stderr_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    tell([Finding(where="x.json", problem="is damaged", hint="move it away")])

    assert capsys.readouterr() == ("", "x.json: is damaged\nHint: move it away\n")


def test_a_shell_is_offered_labels_that_are_alone_and_whole_names_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    for number, (provider, label) in enumerate([("iflow", "work"), ("iflow", "home"), ("deepseek", "work")]):
        store.create(saved_account(id=f"id-{number}", provider=provider, label=label))

    names = names_to_complete(Session({"IFLOW2API_HOME": str(tmp_path)}))

    assert sorted(names) == ["deepseek/work", "home", "iflow/work"]
    (tmp_path / "config.toml").write_text("nonsense")
    assert names_to_complete(Session({"IFLOW2API_HOME": str(tmp_path)})) == []
