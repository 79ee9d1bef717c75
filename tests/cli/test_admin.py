"""`admin`: the group as a person and a script meet it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.server.admin.passwords import is_right
from iflow_cli_proxy.state.admin_file import AdminFile
from tests.support.cli import CliResult, run_cli


class Ours:
    def __init__(self, folder: Path) -> None:
        self.env = {"IFLOW2API_HOME": str(folder)}
        self.folder = folder
        self.file = AdminFile(folder / "admin.json")

    def run(self, *args: str, stdin: str = "") -> CliResult:
        return run_cli("admin", *args, env=self.env, stdin=stdin)


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    return Ours(tmp_path)


def test_a_made_password_is_alone_on_standard_output_and_only_its_hash_is_kept(ours: Ours) -> None:
    done = ours.run("password", "--generate")
    word = done.out.strip()

    assert done.code == 0
    assert len(word) == 24
    assert is_right(word, ours.file.load())
    assert word not in ours.file.path.read_text()
    assert word not in done.err


def test_a_pipe_gives_one_line(ours: Ours) -> None:
    done = ours.run("password", stdin="correct horse battery\n")

    assert (done.code, done.out) == (0, "")
    assert is_right("correct horse battery", ours.file.load())
    assert ours.run("password", "--json", stdin="another good phrase\n").json == {
        "written": str(ours.file.path), "password": None,
    }  # fmt: skip


def test_a_weak_one_is_refused_and_changes_nothing(ours: Ours) -> None:
    done = ours.run("password", stdin="password1234\n")

    assert done.code == 1
    assert "--generate" in done.err
    assert ours.file.load() is None


@pytest.mark.skipif(sys.platform == "win32", reason="ptys of POSIX")
@pytest.mark.parametrize("second", ["correct horse battery", "another good phrase"])
async def test_at_a_terminal_it_is_typed_twice_and_not_shown(ours: Ours, second: str) -> None:
    from tests.support.window import ROOT, window

    around = {**ours.env, "PYTHONPATH": str(ROOT)}
    async with window("-m", "iflow_cli_proxy", "admin", "password", env=around) as terminal:
        await terminal.see("New password: ")
        terminal.type("correct horse battery\n")
        await terminal.see("Once more: ")
        terminal.type(f"{second}\n")
        is_same = second == "correct horse battery"
        await terminal.see("is set" if is_same else "not the same")
        assert await terminal.end() == (0 if is_same else 2)
        assert "correct" not in terminal.text
    assert is_right("correct horse battery", ours.file.load()) is is_same


def test_url_is_where_serve_would_serve_it(ours: Ours) -> None:
    first = ours.run("url")
    assert first.out == "http://127.0.0.1:28000/admin\n"
    assert "iflow2api admin password" in first.err

    ours.run("password", "--generate")
    (ours.folder / "config.toml").write_text("[server]\nport = 9000\n")
    assert ours.run("url", "--json").json == {"url": "http://127.0.0.1:9000/admin", "has_password": True}


def test_a_page_that_is_switched_off_has_no_address(ours: Ours) -> None:
    (ours.folder / "config.toml").write_text("[admin]\nenabled = false\n")

    done = ours.run("url")
    assert (done.code, done.out) == (1, "")
    assert "config set admin.enabled true" in done.err
