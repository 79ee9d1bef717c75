"""Codex CLI: speaks OpenAI Responses, told by a provider table in its config.toml or by `-c` for one run.

Sends `session-id`, so a conversation keeps its account by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import (
    KEY_VARIABLE,
    NAME,
    Agent,
    Change,
    Edit,
    Launch,
    Scene,
    Target,
    key_variable,
)
from iflow_cli_proxy.agents.toml_text import rendered


def _changes(target: Target) -> tuple[Change, ...]:
    provider = {
        "name": NAME,
        "base_url": f"{target.url}/v1",
        "wire_api": "responses",
        **({"env_key": KEY_VARIABLE} if target.needs_key else {}),
    }
    changes = [
        Change(name=("model",), value=target.big.id),
        Change(name=("model_provider",), value=NAME),
        *(Change(name=("model_providers", NAME, name), value=value) for name, value in provider.items()),
    ]
    if target.big.context_tokens:
        changes.append(Change(name=("model_context_window",), value=target.big.context_tokens))
    return tuple(changes)


def _launch(target: Target, scene: Scene) -> Launch:
    """By arguments: its home with sign-ins and sessions stays the person's own. The key comes by a variable."""
    arguments = [word for one in _changes(target) for word in ("-c", f"{'.'.join(one.name)}={rendered(one.value)}")]
    return Launch(variables=key_variable(target), arguments=tuple(arguments))


def _connect(target: Target, scene: Scene) -> tuple[Edit, ...]:
    folder = Path(scene.environ.get("CODEX_HOME", "").strip() or scene.home / ".codex")
    return (Edit(path=folder / "config.toml", kind="toml", changes=_changes(target)),)


AGENT: Final = Agent(
    name="codex",
    title="Codex CLI",
    program="codex",
    package="@openai/codex",
    protocol="OpenAI Responses",
    seen="0.169.0",
    launch=_launch,
    connect=_connect,
    key_from_variable=True,
)
