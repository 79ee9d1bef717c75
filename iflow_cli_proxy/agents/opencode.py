"""OpenCode: speaks OpenAI's chat protocol through a provider table, which one run may get by a variable.

Sends `x-session-id`, so a conversation keeps its account by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import (
    ANY_KEY,
    KEY_VARIABLE,
    NAME,
    Agent,
    Change,
    Edit,
    GatewayModel,
    Launch,
    Scene,
    Target,
    key_variable,
)
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json

_SCHEMA: Final = "https://opencode.ai/config.json"


def _model(model: GatewayModel) -> dict[str, Json]:
    entry: dict[str, Json] = {"name": model.id, "tool_call": True, "reasoning": model.thinks}
    if model.context_tokens and model.output_tokens:
        entry["limit"] = {"context": model.context_tokens, "output": model.output_tokens}
    if model.has_vision:
        entry |= {"attachment": True, "modalities": {"input": ["text", "image"], "output": ["text"]}}
    return entry


def _changes(target: Target) -> tuple[Change, ...]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": NAME,
        "options": {
            "baseURL": f"{target.url}/v1",
            "apiKey": f"{{env:{KEY_VARIABLE}}}" if target.needs_key else ANY_KEY,
        },
        "models": {model.id: _model(model) for model in target.models},
    }
    return (
        Change(name=("$schema",), value=_SCHEMA, only_if_absent=True),
        Change(name=("provider", NAME), value=provider),
        Change(name=("model",), value=f"{NAME}/{target.big.id}"),
        Change(name=("small_model",), value=f"{NAME}/{target.small.id}"),
    )


def _launch(target: Target, scene: Scene) -> Launch:
    tree: dict[str, Json] = {}
    for change in _changes(target):
        table = tree
        for word in change.name[:-1]:
            table = table.setdefault(word, {})
        table[change.name[-1]] = change.value
    return Launch(variables={**key_variable(target), "OPENCODE_CONFIG_CONTENT": jsonx.encode(tree).decode()})


def _connect(target: Target, scene: Scene) -> tuple[Edit, ...]:
    base = Path(scene.environ.get("XDG_CONFIG_HOME", "").strip() or scene.home / ".config") / "opencode"
    path = base / "opencode.json"
    if scene.read(path) is None and scene.read(base / "opencode.jsonc") is not None:
        path = base / "opencode.jsonc"
    return (Edit(path=path, kind="json", changes=_changes(target)),)


AGENT: Final = Agent(
    name="opencode",
    title="OpenCode",
    program="opencode",
    package="opencode-ai",
    protocol="OpenAI chat",
    seen="1.18.33",
    launch=_launch,
    connect=_connect,
    key_from_variable=True,
)
