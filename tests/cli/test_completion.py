import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.completion import FILE_NAMES, Shell, script
from tests.support.cli import run_cli

COMPLETIONS = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("shell", Shell)
def test_the_files_in_completions_are_fresh(shell: Shell) -> None:
    written = (COMPLETIONS / FILE_NAMES[shell]).read_text(encoding="utf-8")
    assert written == script(shell), "stale: iflow2api completion --write completions"


def test_no_other_files_lie_in_completions() -> None:
    assert {each.name for each in COMPLETIONS.iterdir()} == set(FILE_NAMES.values())


def test_a_shell_is_printed_and_all_are_written(tmp_path: Path) -> None:
    assert run_cli("completion", "zsh").out == script(Shell.ZSH)

    done = run_cli("completion", "--write", str(tmp_path / "new"))

    assert done.code == 0
    assert {each.name for each in (tmp_path / "new").iterdir()} == set(FILE_NAMES.values())


@pytest.mark.parametrize("args", [[], ["tcsh"], ["bash", "--write", "x"]])
def test_anything_else_is_wrong_usage(args: list[str]) -> None:
    assert run_cli("completion", *args).code == 2


def test_the_program_answers_what_the_script_asks() -> None:
    asked = {"COMP_WORDS": "iflow2api config get server.p", "COMP_CWORD": "3", "_IFLOW2API_COMPLETE": "complete_bash"}
    starter = "import sys; sys.argv[0] = 'iflow2api'; from iflow_cli_proxy.cli.app import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", starter],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.split() == ["server.port"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_accepts_its_script() -> None:
    subprocess.run(["bash", "-n", COMPLETIONS / FILE_NAMES[Shell.BASH]], timeout=30, check=True)
