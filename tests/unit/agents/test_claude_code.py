"""What Claude Code is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.agents.base import GatewayModel
from iflow_cli_proxy.agents.claude_code import AGENT
from iflow_cli_proxy.core import jsonx
from tests.support.agent_scene import URL, goal, scene


def test_it_is_told_address_key_models_and_limits() -> None:
    told = AGENT.launch(goal(key="sk-1"), scene()).variables

    assert told["ANTHROPIC_BASE_URL"] == URL
    assert told["ANTHROPIC_AUTH_TOKEN"] == "sk-1"
    assert told["ANTHROPIC_DEFAULT_SONNET_MODEL"] == told["ANTHROPIC_MODEL"] == "glm-5"
    assert told["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "glm-4.7"
    assert told["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "170000"
    assert told["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "8000"


@pytest.mark.parametrize("tokens", [0, 64_000])
def test_a_limit_it_does_not_reach_is_not_told(tokens: int) -> None:
    told = AGENT.launch(goal(big=GatewayModel(id="m", output_tokens=tokens)), scene()).variables

    assert not {"CLAUDE_CODE_MAX_OUTPUT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW"} & set(told)


def test_one_run_has_its_settings_in_a_file_of_its_own_and_no_key_in_its_arguments() -> None:
    start = AGENT.launch(goal(key="sk-1"), scene())
    [(path, text)] = start.files.items()

    assert start.arguments == ("--settings", str(path))
    settings = jsonx.decode(text)["env"]
    assert {name: value for name, value in settings.items() if value} == start.variables
    assert {name for name, value in settings.items() if not value} == set(start.unset), "whatever other files say"
    assert "ANTHROPIC_API_KEY" in start.unset


def test_its_settings_lie_where_its_variable_says() -> None:
    usual, moved = (AGENT.connect(goal(), here)[0].path for here in (scene(), scene(CLAUDE_CONFIG_DIR="/else")))

    assert usual == Path("/home/me/.claude/settings.json")
    assert moved == Path("/else/settings.json")


def test_only_a_real_key_makes_the_file_private() -> None:
    assert AGENT.connect(goal(key="sk-1"), scene())[0].holds_key
    assert not AGENT.connect(goal(), scene())[0].holds_key
