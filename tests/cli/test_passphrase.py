"""Where the passphrase of a bundle comes from."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.passphrase import AskingAtStart, passphrase_for
from iflow_cli_proxy.core.errors import ConfigError, StateError


def test_a_file_wins_over_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text("from the file\n")
    file.chmod(0o600)
    environ = {"IFLOW2API_PASSPHRASE": "from the environment"}

    assert passphrase_for(environ, file) == "from the file"
    assert passphrase_for(environ, None) == "from the environment"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text("open\n")
    file.chmod(0o644)

    with pytest.raises(StateError, match="read by other users"):
        passphrase_for({}, file)


def test_a_pipe_gives_one_line_also_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe\n"))

    assert passphrase_for({}, None, is_new=True) == "from a pipe"


def test_without_any_source_it_is_said_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    with pytest.raises(ConfigError, match="nobody is here") as caught:
        passphrase_for({}, None)

    assert "IFLOW2API_PASSPHRASE" in caught.value.hint


def test_a_file_that_a_flag_names_is_told_by_the_flag(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"named by --passphrase-file cannot be read") as raised:
        passphrase_for({}, tmp_path / "none")

    assert "--passphrase-file FILE" in raised.value.hint


def test_a_program_that_serves_asks_nobody_once_it_has_begun() -> None:
    asking = AskingAtStart(lambda question: "four words and more")
    assert asking("Passphrase: ") == "four words and more"

    asking.end()

    with pytest.raises(StateError, match="nobody is here to type it"):
        asking("Passphrase: ")
