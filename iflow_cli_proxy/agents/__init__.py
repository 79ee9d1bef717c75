"""The coding agents that `launch` and `connect` know, and how one of them is found by its name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from iflow_cli_proxy.agents import claude_code, codex, gemini_cli, opencode, qwen_code
from iflow_cli_proxy.agents.base import Agent
from iflow_cli_proxy.core.errors import ConfigError

AGENTS: Final[tuple[Agent, ...]] = (
    claude_code.AGENT,
    codex.AGENT,
    opencode.AGENT,
    gemini_cli.AGENT,
    qwen_code.AGENT,
)


def find_agent(name: str) -> Agent:
    """The agent of this name or alias, whatever its case. Raises ConfigError."""
    wanted = name.strip().lower()
    by_name = {each: agent for agent in AGENTS for each in (agent.name, *agent.aliases)}
    if wanted in by_name:
        return by_name[wanted]
    near = get_close_matches(wanted, by_name, n=1)
    known = ", ".join(agent.name for agent in AGENTS)
    raise ConfigError(
        f"There is no agent called {name!r}.",
        param="--agent",
        hint=f"did you mean {near[0]}?" if near else f"known: {known}",
    )
