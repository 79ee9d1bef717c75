"""`connect`: an agent's own settings led to the gateway, and back byte for byte."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.cli import CliResult, run_cli
from tests.support.small_gateway import SmallGateway, small_gateway

AGENTS = ("claude-code", "codex", "opencode", "gemini", "qwen")
CODEX = '# mine\r\nmodel = "gpt" # best\r\n\r\n[tui]\r\nx = 1\r\n'


@pytest.fixture(scope="module")
def gateway() -> Iterator[SmallGateway]:
    with small_gateway() as running:
        yield running


class Desk:
    def __init__(self, home: Path, gateway: SmallGateway) -> None:
        self.home = home
        self.gateway = gateway
        self.env = {"HOME": str(home), "USERPROFILE": str(home), "IFLOW2API_HOME": str(home / "ours")}
        self.config = home / ".codex" / "config.toml"

    def run(self, agent: str, *args: str, **environ: str) -> CliResult:
        return run_cli("connect", agent, *args, env={**self.env, **environ})

    def connect(self, agent: str, *args: str, **environ: str) -> CliResult:
        done = self.run(agent, "--url", self.gateway.url, *args, **environ)
        assert done.code == 0, done.err
        return done

    def files(self) -> dict[str, bytes]:
        """Everything below the home that is not ours."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in self.home.rglob("*")
            if path.is_file() and "ours" not in path.relative_to(self.home).parts
        }

    def write_codex(self, text: str = CODEX) -> None:
        self.config.parent.mkdir()
        self.config.write_bytes(text.encode())


@pytest.fixture
def desk(tmp_path: Path, gateway: SmallGateway) -> Desk:
    return Desk(tmp_path, gateway)


@pytest.mark.parametrize("agent", AGENTS)
def test_undo_leaves_no_file_where_there_was_none(desk: Desk, agent: str) -> None:
    desk.connect(agent)
    written = desk.files()
    undone = desk.run(agent, "--undo")

    assert written
    assert undone.code == 0, undone.err
    assert desk.files() == {}


def test_everything_else_stays_and_undo_restores_every_byte_and_the_mode(desk: Desk) -> None:
    desk.write_codex()
    desk.config.chmod(0o640)
    desk.connect("codex", "--model", "tiny")
    text = desk.config.read_bytes().decode()
    mode = stat.S_IMODE(desk.config.stat().st_mode)

    desk.run("codex", "--undo")

    assert text.startswith('# mine\r\nmodel = "tiny" # best\r\n')
    assert tomllib.loads(text)["tui"] == {"x": 1}
    assert desk.config.read_bytes() == CODEX.encode()
    if os.name == "posix":
        assert mode == stat.S_IMODE(desk.config.stat().st_mode) == 0o640


def test_connecting_twice_undoes_to_what_was_there_first(desk: Desk) -> None:
    desk.write_codex()
    desk.connect("codex", "--model", "tiny")
    desk.connect("codex", "--model", "glm-5")
    connected = tomllib.loads(desk.config.read_text())

    assert desk.run("codex", "--undo").code == 0
    assert connected["model"] == "glm-5"
    assert connected["model_context_window"] == 170_000
    assert desk.config.read_bytes() == CODEX.encode()


def test_a_file_that_was_changed_since_is_put_back_only_by_force_and_kept_beside(desk: Desk) -> None:
    desk.write_codex()
    desk.connect("codex")
    changed = desk.config.read_text() + "\n[mine]\nafter = true\n"
    desk.config.write_text(changed)

    refused = desk.run("codex", "--undo")
    kept = desk.config.read_text()
    forced = desk.run("codex", "--undo", "--force")

    assert refused.code == 1
    assert "--undo --force" in refused.err
    assert kept == changed
    assert forced.code == 0
    assert desk.config.read_bytes() == CODEX.encode()
    assert desk.config.with_name("config.toml.iflow2api-saved").read_text() == changed


def test_a_change_between_two_connects_is_not_forgotten(desk: Desk) -> None:
    desk.write_codex()
    desk.connect("codex")
    desk.config.write_text(desk.config.read_text() + "\n[mine]\nafter = true\n")
    desk.connect("codex")

    assert tomllib.loads(desk.config.read_text())["mine"] == {"after": True}
    assert desk.run("codex", "--undo").code == 1


def test_a_file_that_somebody_put_back_already_needs_no_force(desk: Desk) -> None:
    desk.write_codex()
    desk.connect("codex")
    desk.config.write_bytes(CODEX.encode())

    assert desk.run("codex", "--undo").code == 0
    assert desk.run("codex", "--undo").code == 1, "there is nothing left to undo"


def test_a_damaged_file_stops_it_before_anything_is_written(desk: Desk) -> None:
    desk.write_codex("model = ")
    before = desk.files()

    done = desk.run("codex", "--url", desk.gateway.url)

    assert done.code == 1
    assert "damaged" in done.err
    assert desk.files() == before
    assert desk.run("codex", "--undo").code == 1


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_settings_behind_a_link_are_changed_where_they_lie(desk: Desk) -> None:
    real = desk.home / "dotfiles.toml"
    real.write_text(CODEX)
    desk.config.parent.mkdir()
    desk.config.symlink_to(real)

    desk.connect("codex")

    assert desk.config.is_symlink()
    assert "iflow2api" in real.read_text()
    assert desk.run("codex", "--undo").code == 0
    assert real.read_bytes() == CODEX.encode()


@pytest.mark.parametrize("agent", AGENTS)
def test_print_writes_nothing_and_shows_no_key(desk: Desk, agent: str) -> None:
    done = desk.connect(agent, "--print", IFLOW2API_CLIENT_KEY="sk-secret-0123456789")
    shown = desk.connect(agent, "--print", "--json", IFLOW2API_CLIENT_KEY="sk-secret-0123456789").json

    assert desk.files() == {}
    assert "sk-secret-0123456789" not in done.out + done.err + jsonx.encode(shown).decode()
    assert desk.gateway.url in done.out
    assert shown["agent"] == agent
    assert all(set(file) == {"path", "format", "values"} for file in shown["files"])


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_file_that_gets_a_key_is_closed_to_others(desk: Desk) -> None:
    settings = desk.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"theme": "dark"}')
    settings.chmod(0o644)

    desk.connect("claude", IFLOW2API_CLIENT_KEY="sk-secret-0123456789")
    mode = stat.S_IMODE(settings.stat().st_mode)
    desk.run("claude", "--undo")

    assert mode == 0o600
    assert stat.S_IMODE(settings.stat().st_mode) == 0o644


def test_agents_that_read_a_variable_are_told_its_name(desk: Desk) -> None:
    done = desk.connect("codex", IFLOW2API_CLIENT_KEY="sk-secret-0123456789")

    assert "export" in done.err
    assert "sk-secret" not in desk.config.read_text()


def test_without_a_gateway_the_settings_say_where_it_will_be(desk: Desk) -> None:
    port = {"IFLOW2API_SERVER_PORT": "1"}
    unknown = desk.run("codex", **port)
    done = desk.run("codex", "--model", "m", **port)

    assert unknown.code == 2, "nobody lists a model, so one has to be named"
    assert done.code == 0
    assert "iflow2api serve" in done.err
    assert tomllib.loads(desk.config.read_text())["model_providers"]["iflow2api"]["base_url"] == "http://127.0.0.1:1/v1"


def test_a_gateway_to_come_that_will_ask_for_a_key_is_told(desk: Desk) -> None:
    done = desk.run("codex", "--model", "m", IFLOW2API_SERVER_PORT="1", IFLOW2API_AUTH_REQUIRED="always")

    assert done.code == 1
    assert "iflow2api key create" in done.err
    assert desk.files() == {}


@pytest.mark.parametrize("args", [("--undo", "--print"), ("--force",)])
def test_wrong_usage_is_said(desk: Desk, args: tuple[str, ...]) -> None:
    assert desk.run("codex", *args).code == 2


def test_json_tells_what_was_done(desk: Desk) -> None:
    done = desk.connect("codex", "--json").json
    undone = desk.run("codex", "--undo", "--json").json

    assert done == {"agent": "codex", "url": desk.gateway.url, "model": "glm-5", "files": [str(desk.config)]}
    assert undone == {"agent": "codex", "restored": [str(desk.config)]}
