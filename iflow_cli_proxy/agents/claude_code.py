"""Claude Code: speaks Anthropic's Messages, told by variables which a settings file may hold too.

Sends `x-claude-code-session-id`, so a conversation keeps its account by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import Agent, Change, Edit, Launch, Scene, Target
from iflow_cli_proxy.core import jsonx

_OWN_OUTPUT_TOKENS: Final = 32_000
"""What it asks for unless told otherwise (2026-11, 2.1.197): too much for models that give less."""
_ELSEWHERE: Final = (
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_OAUTH_TOKEN",
)
"""What would lead it past the gateway; empty in a settings file means unset, whatever other files say."""


def _variables(target: Target) -> dict[str, str]:
    big, small = target.big.id, target.small.id
    variables = {
        "ANTHROPIC_BASE_URL": target.url,
        "ANTHROPIC_AUTH_TOKEN": target.key,
        "ANTHROPIC_MODEL": big,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": big,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": big,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": small,
        "ANTHROPIC_SMALL_FAST_MODEL": small,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    if target.big.context_tokens:
        # The window itself cannot be told; this is where it starts to summarize, and it takes the smaller of both.
        variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] = str(target.big.context_tokens)
    if 0 < target.big.output_tokens < _OWN_OUTPUT_TOKENS:
        variables["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(target.big.output_tokens)
    return variables


def _launch(target: Target, scene: Scene) -> Launch:
    """By variables, and once more by a settings file of this run: variables in the person's own would win over ours."""
    variables = _variables(target)
    overlay = scene.folder / "claude-settings.json"
    return Launch(
        variables=variables,
        unset=_ELSEWHERE,
        arguments=("--settings", str(overlay)),
        files={overlay: jsonx.indented({"env": {**dict.fromkeys(_ELSEWHERE, ""), **variables}}).decode()},
    )


def _connect(target: Target, scene: Scene) -> tuple[Edit, ...]:
    folder = Path(scene.environ.get("CLAUDE_CONFIG_DIR", "").strip() or scene.home / ".claude")
    settings = {**dict.fromkeys(_ELSEWHERE, ""), **_variables(target)}
    changes = tuple(Change(name=("env", name), value=value) for name, value in settings.items())
    return (Edit(path=folder / "settings.json", kind="json", changes=changes, holds_key=target.needs_key),)


AGENT: Final = Agent(
    name="claude-code",
    title="Claude Code",
    program="claude",
    package="@anthropic-ai/claude-code",
    protocol="Anthropic Messages",
    seen="2.1.197",
    aliases=("claude",),
    launch=_launch,
    connect=_connect,
)
