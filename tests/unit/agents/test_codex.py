"""What Codex is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

from iflow_cli_proxy.agents.base import KEY_VARIABLE
from iflow_cli_proxy.agents.codex import AGENT
from iflow_cli_proxy.agents.editing import edited
from tests.support.agent_scene import URL, goal, scene


def test_one_run_is_told_by_arguments_and_the_key_comes_by_a_variable() -> None:
    start = AGENT.launch(goal(key="sk-secret"), scene())

    assert start.variables == {KEY_VARIABLE: "sk-secret"}
    assert not any("sk-secret" in word for word in start.arguments)
    values = tomllib.loads("\n".join(start.arguments[1::2]))
    assert values["model"] == "glm-5"
    assert values["model_context_window"] == 170_000
    assert values["model_providers"][values["model_provider"]] == {
        "name": "iflow2api",
        "base_url": f"{URL}/v1",
        "wire_api": "responses",
        "env_key": KEY_VARIABLE,
    }


def test_without_a_key_none_is_asked_for() -> None:
    start = AGENT.launch(goal(), scene())

    assert start.variables == {}
    assert "env_key" not in "".join(start.arguments)


def test_its_settings_say_the_same_and_never_the_key() -> None:
    [edit] = AGENT.connect(goal(key="sk-secret"), scene(CODEX_HOME="/else"))
    text = edited(None, edit)

    assert edit.path == Path("/else/config.toml")
    assert tomllib.loads(text)["model_providers"]["iflow2api"]["env_key"] == KEY_VARIABLE
    assert "sk-secret" not in text
