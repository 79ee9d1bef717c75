"""One `launch`: a gateway, an agent's program, the environment that joins them. Imported only by `launch`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from iflow_cli_proxy.agents import AGENTS, find_agent
from iflow_cli_proxy.agents.base import GatewayModel, Launch, Scene, Target
from iflow_cli_proxy.agents.models import target
from iflow_cli_proxy.cli.agents.reaching import gateway
from iflow_cli_proxy.cli.agents.running import executable, installed, run_agent
from iflow_cli_proxy.cli.output import say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.state.atomic import make_private_folder, read_private, write_private
from iflow_cli_proxy.state.connections import Connections

_SESSION_BYTES: Final = 8


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """The arguments of one `launch`."""

    session: Session
    agent: str
    arguments: tuple[str, ...] = ()
    model: str = ""
    small_model: str = ""
    url: str = ""
    is_demo: bool = False


def launch_agent(plan: LaunchPlan) -> int:
    """The agent's own exit code. Raises GatewayError when it could not be started."""
    agent = find_agent(plan.agent)
    program = installed(agent, plan.session.environ)
    # The folder holds what the agent is told, a key perhaps: it is made for its owner alone.
    with TemporaryDirectory(prefix="iflow2api-") as name:
        folder = Path(name)
        with gateway(plan.session, plan.url, folder, is_demo=plan.is_demo) as found:
            goal = target(found.url, found.key, found.models, model=plan.model, small_model=plan.small_model)
            start = agent.launch(goal, scene(plan.session, folder))
            prepare(start)
            _remark(goal, found.models)
            say(f"{agent.title} works with {_models_in_words(goal)} at {found.url}.", "dim")
            command = [program, *start.arguments, *plan.arguments]
            return run_agent(command, environment(plan.session.environ, start))


def prepare(start: Launch) -> None:
    """The files and links of this run. Raises StateError."""
    for path, text in start.files.items():
        write_private(path, text.encode())
    for place, own in start.mirrors.items():
        make_private_folder(place)
        for entry in own.iterdir() if own.is_dir() else ():
            link = place / entry.name
            if link not in start.files:
                with suppress(OSError):  # Windows lets few people make links: the agent then begins afresh
                    link.symlink_to(entry, target_is_directory=entry.is_dir())


def scene(session: Session, folder: Path) -> Scene:
    """This machine, as agents are told about it."""
    return Scene(
        home=Path.home(),
        environ=session.environ,
        platform=sys.platform,
        folder=folder,
        session=f"launch-{secrets.token_hex(_SESSION_BYTES)}",
        read=read_text,
    )


def read_text(path: Path) -> str | None:
    """A settings file of another program; None when there is none. Raises StateError."""
    data = read_private(path.resolve(), is_ours=False)
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        raise StateError("A settings file of the agent is not UTF-8.", detail=str(path)) from error


def environment(environ: Mapping[str, str], start: Launch) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in start.unset}
    return {**kept, **start.variables}


def agents_here(session: Session) -> list[dict[str, Json]]:
    """Every agent there is, as `launch --list --json` shows it."""
    connections = Connections(session.paths().agents_dir)
    return [
        {
            "agent": agent.name,
            "title": agent.title,
            "program": executable(agent, session.environ) or None,
            "install": f"npm install -g {agent.package}",
            "protocol": agent.protocol,
            "seen_version": agent.seen,
            "connected": bool(connections.read(agent.name)),
        }
        for agent in AGENTS
    ]


def _remark(goal: Target, listed: Sequence[GatewayModel]) -> None:
    """A name that is not listed may be an alias, or mistyped."""
    names = {one.id.lower() for one in listed}
    for model in dict.fromkeys((goal.big.id, goal.small.id)):
        if names and not {model.lower(), model.partition("/")[2].lower()} & names:
            say(f"The gateway does not list {model}; `iflow2api models` shows what it does.", "yellow")


def _models_in_words(goal: Target) -> str:
    small = "" if goal.small == goal.big else f" and {goal.small.id}"
    return goal.big.id + small
