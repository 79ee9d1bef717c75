"""Qwen Code: speaks OpenAI's chat protocol, told by variables, but for the kind of sign-in and what a model can do.

Sends no id of its conversation; a header that it can be told to add stands in for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import Agent, Change, Edit, Launch, Scene, Target
from iflow_cli_proxy.agents.editing import edited

_SYSTEM_SETTINGS: Final = {
    "darwin": Path("/Library/Application Support/QwenCode/settings.json"),
    "win32": Path("C:/ProgramData/qwen-code/settings.json"),
}
_SYSTEM_SETTINGS_ELSE: Final = Path("/etc/qwen-code/settings.json")
_SETTINGS_VARIABLE: Final = "QWEN_CODE_SYSTEM_SETTINGS_PATH"


def _settings(target: Target) -> tuple[Change, ...]:
    generation = ("model", "generationConfig")
    changes = [
        Change(name=("security", "auth", "selectedType"), value="openai"),
        Change(name=("model", "name"), value=target.big.id),
    ]
    if target.big.context_tokens:
        changes.append(Change(name=(*generation, "contextWindowSize"), value=target.big.context_tokens))
    if target.big.has_vision:
        # Otherwise it keeps pictures from models whose names it does not know.
        changes.append(Change(name=(*generation, "modalities", "image"), value=True))
    return tuple(changes)


def _launch(target: Target, scene: Scene) -> Launch:
    """The machine's settings count more than the person's: those of this run are a copy with ours in it."""
    named = scene.environ.get(_SETTINGS_VARIABLE, "")
    system = Path(named) if named else _SYSTEM_SETTINGS.get(scene.platform, _SYSTEM_SETTINGS_ELSE)
    overlay = scene.folder / "qwen-settings.json"
    header = Change(name=("model", "generationConfig", "customHeaders", "x-session-id"), value=scene.session)
    edit = Edit(path=system, kind="json", changes=(*_settings(target), header))
    return Launch(
        variables={
            "OPENAI_API_KEY": target.key,
            "OPENAI_BASE_URL": f"{target.url}/v1",
            "OPENAI_MODEL": target.big.id,
            _SETTINGS_VARIABLE: str(overlay),
        },
        unset=("QWEN_MODEL",),
        files={overlay: edited(scene.read(system), edit)},
    )


def _connect(target: Target, scene: Scene) -> tuple[Edit, ...]:
    folder = Path(scene.environ.get("QWEN_HOME", "").strip() or scene.home / ".qwen")
    sign_in = (
        Change(name=("security", "auth", "baseUrl"), value=f"{target.url}/v1"),
        Change(name=("security", "auth", "apiKey"), value=target.key),
    )
    return (
        Edit(
            path=folder / "settings.json",
            kind="json",
            changes=(*_settings(target), *sign_in),
            holds_key=target.needs_key,
        ),
    )


AGENT: Final = Agent(
    name="qwen",
    title="Qwen Code",
    program="qwen",
    package="@qwen-code/qwen-code",
    protocol="OpenAI chat",
    seen="0.15.10",
    aliases=("qwen-code",),
    launch=_launch,
    connect=_connect,
)
