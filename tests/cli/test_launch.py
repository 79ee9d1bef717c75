"""`launch`: a coding agent against a gateway, as a person and a script meet it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.cli import CliResult, run_cli
from tests.support.fake_agents import FakeAgent, install
from tests.support.serving import THIS_PYTHON, surroundings
from tests.support.small_gateway import SmallGateway, small_gateway

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the agents of these tests are scripts")
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def gateway() -> Iterator[SmallGateway]:
    with small_gateway() as running:
        yield running


class Desk:
    """A person with a home, a PATH and a gateway."""

    def __init__(self, home: Path, gateway: SmallGateway) -> None:
        self.home = home
        self.gateway = gateway
        self.bin = home / "bin"
        self.env = {"HOME": str(home), "IFLOW2API_HOME": str(home / "ours"), "PATH": str(self.bin)}

    def agent(self, program: str) -> FakeAgent:
        return install(self.bin, program)

    def run(self, *args: str, **environ: str) -> CliResult:
        return run_cli("launch", *args, env={**self.env, **environ})

    def launch(self, agent: str, *args: str, **environ: str) -> CliResult:
        return self.run(agent, "--url", self.gateway.url, *args, **environ)


@pytest.fixture
def desk(tmp_path: Path, gateway: SmallGateway) -> Desk:
    return Desk(tmp_path, gateway)


def test_the_agent_gets_its_arguments_as_they_are_and_the_gateway_by_variables(desk: Desk) -> None:
    claude = desk.agent("claude")

    done = desk.launch("claude", "--model", "tiny", "--", "-p", "say --model hi", "--url", "x")

    assert done.code == 0, done.err
    assert claude.seen["argv"][2:] == ["-p", "say --model hi", "--url", "x"]
    assert claude.seen["env"]["ANTHROPIC_BASE_URL"] == desk.gateway.url
    assert claude.seen["env"]["ANTHROPIC_MODEL"] == "tiny"
    assert jsonx.decode(claude.seen["files"]["--settings"])["env"]["ANTHROPIC_MODEL"] == "tiny"
    assert "Claude Code works with tiny" in done.err


def test_variables_that_lead_elsewhere_are_taken_away_and_others_stay(desk: Desk) -> None:
    claude = desk.agent("claude")

    desk.launch("claude", ANTHROPIC_API_KEY="sk-elsewhere", EDITOR="vi")

    assert "ANTHROPIC_API_KEY" not in claude.seen["env"]
    assert claude.seen["env"]["EDITOR"] == "vi"


@pytest.mark.parametrize(("agent", "program"), [("codex", "codex"), ("opencode", "opencode"), ("qwen", "qwen")])
def test_a_key_reaches_every_agent_and_no_list_of_processes(desk: Desk, agent: str, program: str) -> None:
    fake = desk.agent(program)

    done = desk.launch(agent, IFLOW2API_CLIENT_KEY="sk-mine-0123456789,sk-other")

    assert done.code == 0, done.err
    assert "sk-mine-0123456789" in fake.seen["env"].values()
    assert not any("sk-mine" in word for word in fake.seen["argv"])
    assert "sk-mine" not in done.err + done.out


def test_gemini_has_a_home_of_its_own_with_everything_but_the_settings(desk: Desk) -> None:
    own = desk.home / ".gemini"
    own.mkdir()
    (own / "settings.json").write_text("{}")
    (own / "GEMINI.md").write_text("mine")
    gemini = desk.agent("gemini")

    done = desk.launch("gemini")

    assert done.code == 0, done.err
    assert gemini.seen["names"] == ["GEMINI.md", "settings.json"]
    assert (own / "GEMINI.md").read_text() == "mine", "what is linked into the run outlives it"
    assert (own / "settings.json").read_text() == "{}"
    assert not Path(gemini.seen["env"]["GEMINI_CLI_HOME"]).exists()


@pytest.mark.parametrize(("args", "environ", "code"), [((), {"FAKE_EXIT": "5"}, 5), (("--", "--die"), {}, 128 + 9)])
def test_the_exit_code_is_the_agents_own(desk: Desk, args: tuple[str, ...], environ: dict[str, str], code: int) -> None:
    desk.agent("codex")

    assert desk.launch("codex", *args, **environ).code == code


def test_a_missing_agent_is_told_with_the_command_that_installs_it(desk: Desk) -> None:
    done = desk.launch("codex")

    assert done.code == 1
    assert "`npm install -g @openai/codex`" in done.err


@pytest.mark.parametrize("args", [("emacs",), (), ("codex", "--demo", "--url", "http://127.0.0.1:1")])
def test_wrong_usage_is_said(desk: Desk, args: tuple[str, ...]) -> None:
    assert desk.run(*args).code == 2


def test_a_gateway_that_was_named_and_does_not_run_is_not_replaced(desk: Desk) -> None:
    desk.agent("codex")

    done = desk.run("codex", "--url", "http://127.0.0.1:1")

    assert done.code == 1
    assert "No gateway answers at http://127.0.0.1:1" in done.err


def test_a_gateway_that_asks_for_a_key_tells_how_to_make_one(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(wanted_key="sk-right")) as guarded:
        desk = Desk(tmp_path, guarded)
        desk.agent("codex")

        refused = desk.launch("codex")
        let_in = desk.launch("codex", IFLOW2API_CLIENT_KEY="sk-right")

    assert (refused.code, let_in.code) == (1, 0)
    assert "iflow2api key create" in refused.err
    assert "IFLOW2API_CLIENT_KEY" in refused.err


def test_the_list_says_where_agents_are_and_how_to_get_them(desk: Desk) -> None:
    desk.agent("codex")

    listed = desk.run("--list")
    rows = {row["agent"]: row for row in desk.run("--list", "--json").json["agents"]}

    assert "npm install -g opencode-ai" in listed.out
    assert rows["codex"]["program"] == str(desk.bin / "codex")
    assert rows["opencode"] == {
        "agent": "opencode",
        "title": "OpenCode",
        "program": None,
        "install": "npm install -g opencode-ai",
        "protocol": "OpenAI chat",
        "seen_version": rows["opencode"]["seen_version"],
        "connected": False,
    }


def test_where_no_gateway_runs_one_is_started_and_ended_with_the_agent(desk: Desk) -> None:
    qwen = desk.agent("qwen")

    done = desk.run("qwen", "--demo", "--model", "glm-4.7", **own_path())

    assert done.code == 0, done.err
    url = qwen.seen["env"]["OPENAI_BASE_URL"]
    assert url != desk.gateway.url
    again = desk.run("qwen", "--url", url)
    assert "No gateway answers" in again.err, "it has ended"


def test_a_gateway_that_cannot_start_says_why(desk: Desk) -> None:
    desk.agent("codex")

    done = desk.run("codex", IFLOW2API_SERVER_PORT="1", IFLOW2API_ROUTING_DEFAULT_PROVIDER="nobody", **own_path())

    assert done.code == 1
    assert "none could be started" in done.err
    assert "nobody" in done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_the_agents_and_its_end_is_ours(desk: Desk, number: signal.Signals) -> None:
    codex = desk.agent("codex")
    env = surroundings(desk.home, {"PATH": desk.env["PATH"], **own_path()})
    command = [*THIS_PYTHON, "launch", "codex", "--url", desk.gateway.url, "--", "--wait"]
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    )
    try:
        wait_for(Path(f"{codex.note}.ready"))
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()

    assert code == 7
    assert Path(f"{codex.note}.signal").read_text() == str(int(number))


AT_A_TERMINAL = """
import os, pathlib, pty, select, sys
ready, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
child, screen = pty.fork()
if not child:
    os.execvp(command[0], command)
is_pressed = False
while True:
    if ready.exists() and not is_pressed:
        is_pressed = bool(os.write(screen, b"\\x03"))
    if select.select([screen], [], [], 0.05)[0]:
        try:
            if not os.read(screen, 65536):
                break
        except OSError:
            break
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_ctrl_c_at_a_terminal_reaches_the_agent_once_and_not_the_gateway_beside_it(desk: Desk) -> None:
    codex = desk.agent("codex")
    command = [*THIS_PYTHON, "launch", "codex", "--demo", "--model", "glm-5", "--", "--wait"]
    done = subprocess.run(
        [sys.executable, "-c", AT_A_TERMINAL, f"{codex.note}.ready", *command],
        env=surroundings(desk.home, {"PATH": desk.env["PATH"], **own_path()}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        cwd=Path(__file__).parents[2],
        check=False,
    )

    assert done.returncode == 7, done.stderr.decode()
    assert Path(f"{codex.note}.signal").read_text() == str(int(signal.SIGINT))


def test_a_model_that_is_not_listed_is_remarked(desk: Desk) -> None:
    desk.agent("codex")

    assert "does not list glm-6" in desk.launch("codex", "--model", "glm-6").err
    assert "does not list" not in desk.launch("codex", "--model", "GLM-5").err


def own_path() -> dict[str, str]:
    """What a process of ours needs to be found from anywhere."""
    return {"PYTHONPATH": str(Path(__file__).parents[2])}


def wait_for(path: Path) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < ends_at, f"{path.name} did not come"
        time.sleep(0.01)
