"""An agent as a child of ours."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.agents import find_agent
from iflow_cli_proxy.cli.agents.running import executable, installed, run_agent
from iflow_cli_proxy.core.errors import ConfigError
from tests.support.fake_agents import install

CODEX = find_agent("codex")


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.skipif(os.name != "posix", reason="scripts")
def test_a_program_is_found_on_the_path_of_the_person(tmp_path: Path) -> None:
    install(tmp_path, "codex")

    assert executable(CODEX, {"PATH": str(tmp_path)}) == str(tmp_path / "codex")
    assert executable(CODEX, {}) == ""
    with pytest.raises(ConfigError):
        installed(CODEX, {"PATH": ""})


def test_exit_code_and_environment_are_handed_on() -> None:
    assert run_agent(python("import os; raise SystemExit(int(os.environ['CODE']))"), {**os.environ, "CODE": "3"}) == 3


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_end_by_a_signal_is_told_as_a_shell_tells_it() -> None:
    assert run_agent(python("import os; os.kill(os.getpid(), 15)"), os.environ) == 128 + 15


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_agent_begins_with_ctrl_c_in_its_usual_meaning_and_we_get_ours_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    code = run_agent(python("import signal as s; raise SystemExit(s.getsignal(s.SIGINT) is s.SIG_IGN)"), os.environ)

    assert code == 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_is_ignored_already_stays_so_for_the_agent_too() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = run_agent(python("import signal as s; raise SystemExit(s.getsignal(s.SIGHUP) is s.SIG_IGN)"), os.environ)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert code == 1


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "codex").write_text("no program")

    with pytest.raises(ConfigError):
        run_agent([str(tmp_path / "codex")], os.environ)
