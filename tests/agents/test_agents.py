"""The real coding agents, at the versions we name, through a gateway in front of the demo: each writes a file.

Opt-in: `pytest -m agents`. They are installed from the npm registry once, below the cache folder of this person, or
`IFLOW2API_TEST_AGENTS`; that takes about 1.2 GB and Node 20.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from iflow_cli_proxy.agents import AGENTS
from iflow_cli_proxy.agents.base import Agent
from iflow_cli_proxy.protocols import CODECS
from tests.support.serving import THIS_PYTHON, Running, serving, surroundings

pytestmark = pytest.mark.agents

CACHE: Final = Path(os.environ.get("IFLOW2API_TEST_AGENTS") or Path.home() / ".cache" / "iflow2api-agents")
INSTALL_WITHIN_S: Final = 600.0
RUN_WITHIN_S: Final = 120.0
ENDS_WITHIN_S: Final = 10.0
TEXT: Final = "Hello from the gateway"
MODEL: Final = "glm-5"


@dataclass(frozen=True)
class Way:
    """How one agent is driven without a person, and settings of a person that lead it somewhere else."""

    arguments: tuple[str, ...]
    """Before the prompt."""
    codec: str
    settings: Mapping[str, str]
    """By place below the home."""
    variables: Mapping[str, str] = field(default_factory=dict)


WAYS: Final = {
    "claude-code": Way(
        arguments=("--dangerously-skip-permissions", "-p"),
        codec="anthropic",
        settings={".claude/settings.json": '{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, "theme": "dark"}'},
        variables={"IS_SANDBOX": "1"},  # it refuses those rights to root elsewhere
    ),
    "codex": Way(
        arguments=("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
        codec="openai_responses",
        settings={
            ".codex/config.toml": '# mine\nmodel = "elsewhere" # best\nmodel_provider = "dead"\n\n'
            '[model_providers.dead]\nname = "dead"\nbase_url = "http://127.0.0.1:9/v1"\nwire_api = "responses"\n'
        },
    ),
    "opencode": Way(
        arguments=("run",),
        codec="openai_chat",
        settings={
            ".config/opencode/opencode.json": '{\n  "$schema": "https://opencode.ai/config.json", // mine\n'
            '  "model": "dead/elsewhere",\n  "share": "disabled",\n}\n'
        },
        variables={"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
    ),
    "gemini": Way(
        arguments=("--skip-trust", "--yolo", "-p"),
        codec="gemini",
        settings={
            ".gemini/settings.json": '{\n  // mine\n  "security": { "auth": { "selectedType": "oauth-personal" } },\n'
            '  "privacy": { "usageStatisticsEnabled": false }\n}\n'
        },
    ),
    "qwen": Way(
        arguments=("--yolo", "-p"),
        codec="openai_chat",
        settings={
            ".qwen/settings.json": '{\n  "$version": 4,\n  // mine\n'
            '  "security": { "auth": { "selectedType": "qwen-oauth" } },\n'
            '  "privacy": { "usageStatisticsEnabled": false }\n}\n'
        },
    ),
}


@dataclass(frozen=True)
class Desk:
    """One agent, installed, and a person's home with settings of theirs in it."""

    agent: Agent
    way: Way
    home: Path
    environ: Mapping[str, str]

    @property
    def file(self) -> Path:
        return self.home / "work" / "hello.txt"

    def settings(self) -> dict[str, bytes]:
        return {name: (self.home / name).read_bytes() for name in self.way.settings}

    def run(self, *command: str) -> str:
        """Run to the end, within the time there is, and give back what it said."""
        process = subprocess.Popen(
            command,
            cwd=self.file.parent,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=RUN_WITHIN_S)
        finally:
            end_group(process)
        assert process.returncode == 0, said.decode(errors="replace")
        return said.decode(errors="replace")

    def iflow2api(self, *arguments: str) -> str:
        return self.run(*THIS_PYTHON, *arguments)

    @property
    def order(self) -> tuple[str, ...]:
        return (*self.way.arguments, f"iflow2api-demo: write {self.file} with {TEXT}")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started, by the id of its group; politely first, so that it can end its own gateway."""
    try:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDS_WITHIN_S)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def installed(agent: Agent) -> Path:
    """The folder with the agent's program, installed there if it is not yet."""
    folder = CACHE / f"{agent.name}-{agent.seen}"
    programs = folder / "node_modules" / ".bin"
    if not (programs / agent.program).exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed here")
        folder.mkdir(parents=True, exist_ok=True)
        flags = ("--no-audit", "--no-fund", "--no-save", "--prefix", str(folder))
        npm_install(npm, "install", *flags, f"{agent.package}@{agent.seen}")
    return programs


def npm_install(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=INSTALL_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving("--demo", home=tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(params=AGENTS, ids=lambda agent: agent.name)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    agent: Agent = request.param
    way = WAYS[agent.name]
    if way.codec not in CODECS:
        pytest.skip(f"the gateway does not speak {way.codec} yet")
    for name, text in way.settings.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "work").mkdir()
    plain = {name: text for name, text in surroundings(tmp_path).items() if not is_personal(name)}
    path = os.pathsep.join((str(installed(agent)), plain["PATH"]))
    here = {"PATH": path, "PWD": str(tmp_path / "work")}
    return Desk(agent, way, tmp_path, {**plain, **here, **way.variables})


def is_personal(name: str) -> bool:
    """What would lead an agent, or its files, past this test."""
    return name.startswith(
        ("XDG_", "ANTHROPIC_", "OPENAI_", "GEMINI_", "GOOGLE_", "QWEN_", "CODEX_", "CLAUDE", "OPENCODE")
    )


def expect_file(desk: Desk, said: str) -> None:
    assert desk.file.exists(), said
    assert desk.file.read_text().rstrip("\n") == TEXT


def test_a_launched_agent_writes_the_file_and_its_own_settings_stay(desk: Desk, gateway: Running) -> None:
    before = desk.settings()

    said = desk.iflow2api("launch", desk.agent.name, "--url", gateway.url, "--model", MODEL, "--", *desk.order)

    expect_file(desk, said)
    assert desk.settings() == before


def test_a_launched_agent_brings_its_own_gateway_where_none_runs(desk: Desk) -> None:
    name = (*desk.agent.aliases, desk.agent.name)[0]
    said = desk.iflow2api("launch", name, "--demo", "--model", MODEL, "--", *desk.order)

    expect_file(desk, said)


def test_a_connected_agent_writes_the_file_by_itself_and_undo_restores_every_byte(desk: Desk, gateway: Running) -> None:
    before = desk.settings()
    desk.iflow2api("connect", desk.agent.name, "--url", gateway.url, "--model", MODEL)
    connected = desk.settings()

    said = desk.run(desk.agent.program, *desk.order)
    undone = desk.iflow2api("connect", desk.agent.name, "--undo", "--force")

    assert connected != before
    expect_file(desk, said)
    assert desk.settings() == before, undone


def test_every_agent_has_its_way_here() -> None:
    assert set(WAYS) == {agent.name for agent in AGENTS}
