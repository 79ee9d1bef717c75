"""`token export`: one encrypted file, private, and never over another."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.bundle import unpack
from tests.support.cli import CliResult, run_cli
from tests.support.saved_accounts import saved_account

pytest.importorskip("cryptography")
WORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    store.create(saved_account("one", label="one"))
    store.create(saved_account("two", label="two", auth_type=AuthType.API_KEY, tokens=None, api_key=Secret("sk-2")))
    return tmp_path


def _export(folder: Path, *args: str, word: str = WORD, stdin: str = "") -> CliResult:
    env = {"IFLOW2API_HOME": str(folder), "HOME": str(folder), "IFLOW_HOME": str(folder / "none")}
    env |= {"IFLOW2API_PASSPHRASE": word} if word else {}
    return run_cli("token", "export", "--output", str(folder / "out.bundle"), *args, env=env, stdin=stdin)


def test_all_of_ours_go_into_one_private_file(folder: Path) -> None:
    done = _export(folder, "--json")

    assert done.code == 0
    assert [one["label"] for one in done.json["accounts"]] == ["one", "two"]
    file = folder / "out.bundle"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    assert b"of-one" not in data
    assert [account.id for account in unpack(data, WORD)] == ["one", "two"]


def test_only_the_named_ones_go_and_rotating_tokens_are_warned_about(folder: Path) -> None:
    assert "one place only" not in _export(folder, "two").err
    assert "one place only" in _export(folder, "one", "--force").err
    assert [account.id for account in unpack((folder / "out.bundle").read_bytes(), WORD)] == ["one"]


def test_a_file_that_is_there_stays_unless_forced(folder: Path) -> None:
    (folder / "out.bundle").write_text("precious")

    refused = _export(folder)

    assert refused.code == 1
    assert "--force" in refused.err
    assert (folder / "out.bundle").read_text() == "precious"
    assert _export(folder, "--force").code == 0


def test_a_folder_that_is_not_there_is_not_made_up(folder: Path) -> None:
    refused = _export(folder, "--output", str(folder / "typo" / "out.bundle"))

    assert refused.code == 2
    assert "folder of that file does not exist" in refused.err
    assert not (folder / "typo").exists()


def test_the_passphrase_comes_by_pipe_or_file_too(folder: Path) -> None:
    assert _export(folder, word="", stdin=f"{WORD}\n").code == 0
    file = folder / "word"
    file.write_text(WORD)
    file.chmod(0o600)

    assert _export(folder, "--force", "--passphrase-file", str(file), word="").code == 0
    assert len(unpack((folder / "out.bundle").read_bytes(), WORD)) == 2


def test_without_a_passphrase_nothing_is_written(folder: Path) -> None:
    done = _export(folder, word="")

    assert done.code == 2
    assert "IFLOW2API_PASSPHRASE" in done.err
    assert not (folder / "out.bundle").exists()


def test_an_account_that_is_not_there_and_a_folder_as_output_are_wrong_usage(folder: Path) -> None:
    assert _export(folder, "three").code == 2
    (folder / "out.bundle").mkdir()
    assert _export(folder, "--force").code == 2


def test_with_no_account_there_is_nothing_to_export(tmp_path: Path) -> None:
    done = _export(tmp_path)

    assert done.code == 1
    assert "iflow2api login" in done.err


def test_without_the_extra_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    done = _export(folder)

    assert done.code == 1
    assert "secure" in done.err
    assert "Traceback" not in done.err
    assert not (folder / "out.bundle").exists()
