"""Agents are found by their names."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.agents import AGENTS, find_agent
from iflow_cli_proxy.core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "found"),
    [("claude", "claude-code"), ("Claude-Code", "claude-code"), ("gemini-cli", "gemini"), ("qwen-code", "qwen")],
)
def test_an_agent_has_names_and_aliases_in_any_case(name: str, found: str) -> None:
    assert find_agent(name).name == found


def test_no_two_agents_answer_to_one_name() -> None:
    names = [name for agent in AGENTS for name in (agent.name, *agent.aliases)]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "hint"), [("claud", "claude"), ("emacs", "opencode")])
def test_an_unknown_name_is_told_with_the_nearest_or_all(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_agent(name)

    assert hint in caught.value.hint
