"""Gemini CLI: speaks Gemini's API, told by variables, but for the kind of sign-in, which only a settings file says.

Sends no id of its conversation; a header that it can be told to add stands in for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents.base import Agent, Change, Edit, Launch, Scene, Target
from iflow_cli_proxy.agents.editing import edited

_ELSEWHERE: Final = ("GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA", "CODE_ASSIST_ENDPOINT")
_FOR_CHORES: Final = (
    "flash-lite",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-3-flash-preview",
    "gemini-3.5-flash",
)
_FOR_WORK: Final = ("gemini-2.5-pro", "gemini-3-pro-preview")
"""Models that it names by itself, whatever it was told to use (2026-11, 0.61.0: its DEFAULT_MODEL_CONFIGS)."""
_HOME_VARIABLE: Final = "GEMINI_CLI_HOME"


def _variables(target: Target) -> dict[str, str]:
    return {
        "GEMINI_API_KEY": target.key,
        "GOOGLE_GEMINI_BASE_URL": target.url,
        "GEMINI_MODEL": target.big.id,
    }


def _settings(target: Target, *, keeps_overrides: bool) -> tuple[Change, ...]:
    stands_for = {
        **dict.fromkeys(_FOR_WORK, target.big.id),
        **dict.fromkeys(_FOR_CHORES, target.small.id),
    }
    overrides = [{"match": {"model": own}, "modelConfig": {"model": ours}} for own, ours in stands_for.items()]
    return (
        Change(name=("security", "auth", "selectedType"), value="gemini-api-key"),
        Change(name=("modelConfigs", "customOverrides"), value=overrides, only_if_absent=keeps_overrides),
    )


def _launch(target: Target, scene: Scene) -> Launch:
    """In a home of this run, where all but the settings is the person's own: settings of the machine, which would count
    more than theirs, have to belong to root."""
    own, home = _folder(scene), scene.folder / "gemini-home"
    settings = own / "settings.json"
    edit = Edit(path=settings, kind="json", changes=_settings(target, keeps_overrides=False))
    return Launch(
        variables={
            **_variables(target),
            _HOME_VARIABLE: str(home),
            "GEMINI_CLI_CUSTOM_HEADERS": _with_session(scene),
        },
        unset=_ELSEWHERE,
        files={home / own.name / settings.name: edited(scene.read(settings), edit)},
        mirrors={home / own.name: own},
    )


def _folder(scene: Scene) -> Path:
    return Path(scene.environ.get(_HOME_VARIABLE, "").strip() or scene.home) / ".gemini"


def _with_session(scene: Scene) -> str:
    own = scene.environ.get("GEMINI_CLI_CUSTOM_HEADERS", "").strip()
    ours = f"x-session-id: {scene.session}"
    return f"{own}, {ours}" if own else ours


def _connect(target: Target, scene: Scene) -> tuple[Edit, ...]:
    folder = _folder(scene)
    variables = tuple(Change(name=(name,), value=value) for name, value in _variables(target).items())
    return (
        Edit(path=folder / "settings.json", kind="json", changes=_settings(target, keeps_overrides=True)),
        Edit(path=folder / ".env", kind="dotenv", changes=variables, holds_key=target.needs_key),
    )


AGENT: Final = Agent(
    name="gemini",
    title="Gemini CLI",
    program="gemini",
    package="@google/gemini-cli",
    protocol="Gemini",
    seen="0.61.0",
    aliases=("gemini-cli",),
    launch=_launch,
    connect=_connect,
)
