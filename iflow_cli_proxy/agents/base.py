"""What an agent needs to work with the gateway, as values: variables, arguments, files, changes of settings.

Knows the shapes. Refuses to touch the disk, to start anything, and to know any one agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from iflow_cli_proxy.core.jsonx import Json

KEY_VARIABLE: Final = "IFLOW2API_CLIENT_KEY"
"""Where agents that can read a key from a variable of any name find it."""
ANY_KEY: Final = "any"
"""What is shown to a gateway that asks for no key; agents insist on having one."""
NAME: Final = "iflow2api"
"""What agents call the gateway among their providers."""

FileKind = Literal["json", "toml", "dotenv"]


@dataclass(frozen=True, kw_only=True)
class GatewayModel:
    """One model as the gateway lists it. Token counts are 0 where nobody knows."""

    id: str
    context_tokens: int = 0
    output_tokens: int = 0
    has_vision: bool = False
    thinks: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """The gateway as an agent is to see it."""

    url: str
    """Without a path, such as http://127.0.0.1:28000."""
    key: str
    """A client key, or ANY_KEY."""
    big: GatewayModel
    """Does the work."""
    small: GatewayModel
    """Does the agent's chores: titles, summaries, checks."""
    models: tuple[GatewayModel, ...] = ()
    """All that can be asked for, `big` and `small` among them."""

    @property
    def needs_key(self) -> bool:
        return self.key != ANY_KEY


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The machine an agent runs on."""

    home: Path
    environ: Mapping[str, str]
    platform: str
    """As in `sys.platform`."""
    folder: Path
    """Ends with the launch; its files are for the owner alone."""
    session: str
    """Names this launch, for agents that send no id of their own: a conversation then keeps its account."""
    read: Callable[[Path], str | None]
    """The text of a file; None when there is none."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What one run of an agent is started with. The agent's own files stay as they are."""

    variables: Mapping[str, str]
    unset: tuple[str, ...] = ()
    """Variables that would lead the agent elsewhere."""
    arguments: tuple[str, ...] = ()
    """Before those of the person; never a secret, for others can read them."""
    files: Mapping[Path, str] = field(default_factory=dict)
    mirrors: Mapping[Path, Path] = field(default_factory=dict)
    """Folders of this run, and the agent's own of which they hold everything that is not among `files`, as links."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value in a settings file, and where it stands."""

    name: tuple[str, ...]
    value: Json
    only_if_absent: bool = False


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What has to stand in one settings file of an agent, beside everything that stands there already."""

    path: Path
    kind: FileKind
    changes: tuple[Change, ...]
    holds_key: bool = False
    """A real client key is among the values: the file is for its owner alone from then on."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One coding agent."""

    name: str
    title: str
    program: str
    """The executable."""
    package: str
    """On npm."""
    protocol: str
    """What it speaks to the gateway."""
    seen: str
    """The version that all of this was tried with."""
    launch: Callable[[Target, Scene], Launch]
    connect: Callable[[Target, Scene], tuple[Edit, ...]]
    aliases: tuple[str, ...] = ()
    key_from_variable: bool = False
    """`connect` writes no key but the name of KEY_VARIABLE, which the person has to export."""


def key_variable(target: Target) -> dict[str, str]:
    """The key where agents find it that are told a variable's name; a word that is no key stays out of the variable,
    which a gateway would read as well."""
    return {KEY_VARIABLE: target.key} if target.needs_key else {}
