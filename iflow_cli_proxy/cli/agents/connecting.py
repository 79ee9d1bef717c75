"""One `connect`: an agent's own settings files led to the gateway, and led back. Imported only by `connect`.

Knows the order in which nothing is lost: the record of what was comes first, then the files. Refuses to know any agent.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.agents import find_agent
from iflow_cli_proxy.agents.base import ANY_KEY, KEY_VARIABLE, Agent, Edit, GatewayModel, Target
from iflow_cli_proxy.agents.editing import edited
from iflow_cli_proxy.agents.models import target
from iflow_cli_proxy.cli.addressing import client_key, gateway_url
from iflow_cli_proxy.cli.agents.launching import read_text, scene
from iflow_cli_proxy.cli.agents.reaching import no_key, running
from iflow_cli_proxy.cli.listing import find_models
from iflow_cli_proxy.cli.output import print_json, print_text, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.safety import are_keys_required
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.state.atomic import remove_private, write_private
from iflow_cli_proxy.state.connections import Connections, KeptFile, digest

_PRIVATE: Final = 0o600
_SAVED_SUFFIX: Final = ".iflow2api-saved"


@dataclass(frozen=True, kw_only=True)
class ConnectPlan:
    """The arguments of one `connect`."""

    session: Session
    agent: str
    model: str = ""
    small_model: str = ""
    url: str = ""
    only_prints: bool = False
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class _Rewrite:
    edit: Edit
    path: Path
    """Where the file really lies, if its place is a link."""
    before: str | None
    after: str
    mode: int
    """That the file has, or is to have."""

    @property
    def new_mode(self) -> int:
        return self.mode & _PRIVATE if self.edit.holds_key else self.mode


async def connect_agent(plan: ConnectPlan) -> None:
    """Raises GatewayError, and then nothing was changed that could not be undone."""
    agent = find_agent(plan.agent)
    goal = await _goal(plan)
    edits = agent.connect(_masked(goal) if plan.only_prints else goal, scene(plan.session, Path()))
    if plan.only_prints:
        _show(agent, edits, goal, as_json=plan.as_json)
        return
    rewrites = [_rewrite(edit) for edit in edits]
    connections = Connections(plan.session.paths().agents_dir)
    connections.keep(agent.name, _kept(rewrites, connections.read(agent.name)))
    for one in rewrites:
        if one.after != one.before:
            write_private(one.path, one.after.encode(), mode=one.new_mode)
    if plan.as_json:
        print_json(
            {"agent": agent.name, "url": goal.url, "model": goal.big.id, "files": [str(one.path) for one in rewrites]}
        )
    for one in rewrites:
        say(f"{'Wrote' if one.before is None else 'Changed'} {one.edit.path}.", "green")
    say(
        f"What was there is kept in {connections.place(agent.name)}; "
        f"`iflow2api connect {agent.name} --undo` puts it back."
    )
    _tell_key(agent, goal)


def disconnect_agent(session: Session, name: str, *, is_forced: bool) -> list[str]:
    """Put every file back as it was before `connect`, or none; which ones. Raises GatewayError."""
    agent = find_agent(name)
    connections = Connections(session.paths().agents_dir)
    kept = connections.read(agent.name)
    if not kept:
        raise ConfigError(
            f"{agent.title} was not connected here, so there is nothing to undo.",
            hint=f"`iflow2api connect {agent.name} --print` shows what would be written",
        )
    now = [read_text(Path(one.path)) for one in kept]
    changed = [one.path for one, text in zip(kept, now, strict=True) if _was_changed(one, text)]
    if changed and not is_forced:
        raise ConfigError(
            f"Changed since `connect`, so nothing was put back: {', '.join(changed)}.",
            hint=f"take our values out there yourself, or: `iflow2api connect {agent.name} --undo --force`, which puts "
            f"back what was before and keeps what is there now beside it, as *{_SAVED_SUFFIX}",
        )
    for one, text in zip(kept, now, strict=True):
        path = Path(one.path)
        if text is not None and one.path in changed:
            write_private(path.with_name(path.name + _SAVED_SUFFIX), text.encode())
        if one.before is None:
            remove_private(path)
        elif text != one.before:
            write_private(path, one.before.encode(), mode=one.mode)
    connections.forget(agent.name)
    return [one.path for one in kept]


async def _goal(plan: ConnectPlan) -> Target:
    """The gateway that runs, or the one that these settings would start."""
    found = running(plan.session, plan.url)
    if found is not None:
        return target(found.url, found.key, found.models, model=plan.model, small_model=plan.small_model)
    settings, _ = plan.session.load()
    if not settings.server.port:
        raise ConfigError(
            "These settings give the gateway another port at each start.",
            param="server.port",
            hint="`iflow2api config set server.port 28000` gives it one to stay",
        )
    place, key = gateway_url(settings, ""), client_key(settings, plan.session.environ)
    if are_keys_required(settings) and not key:
        raise no_key(place)
    listing = await find_models(plan.session, "", "", asks_upstreams=False)
    models = [
        GatewayModel(
            id=row.id,
            context_tokens=row.context_window,
            output_tokens=row.max_output_tokens,
            has_vision=row.vision,
            thinks=row.thinking != "no",
        )
        for row in listing.rows
    ]
    say(f"No gateway runs at {place} now; the agent will need it: `iflow2api serve`.", "yellow")
    return target(place, key or ANY_KEY, models, model=plan.model, small_model=plan.small_model)


def _rewrite(edit: Edit) -> _Rewrite:
    path = edit.path.resolve()
    before = read_text(path)
    mode = _PRIVATE if before is None else stat.S_IMODE(path.stat().st_mode)
    return _Rewrite(edit=edit, path=path, before=before, after=edited(before, edit), mode=mode)


def _kept(rewrites: Sequence[_Rewrite], known: Sequence[KeptFile]) -> list[KeptFile]:
    """What to put back: of a file that we changed before, what it was then."""
    earlier = {one.path: one for one in known}
    files = []
    for one in rewrites:
        had = earlier.pop(str(one.path), None)
        files.append(
            KeptFile(
                path=str(one.path),
                before=had.before if had else one.before,
                mode=had.mode if had else one.mode,
                after=digest(one.after),
                is_mixed=had is not None and _was_changed(had, one.before),
            )
        )
    return [*files, *earlier.values()]


def _was_changed(kept: KeptFile, text: str | None) -> bool:
    """By somebody else, since we wrote it."""
    if text == kept.before:
        return False
    return kept.is_mixed or text is None or digest(text) != kept.after


def _masked(goal: Target) -> Target:
    if not goal.needs_key:
        return goal
    return Target(url=goal.url, key=str(Secret(goal.key)), big=goal.big, small=goal.small, models=goal.models)


def _show(agent: Agent, edits: Sequence[Edit], goal: Target, *, as_json: bool) -> None:
    if as_json:
        files: list[Json] = [
            {
                "path": str(edit.path),
                "format": edit.kind,
                "values": [{"name": list(change.name), "value": change.value} for change in edit.changes],
            }
            for edit in edits
        ]
        print_json({"agent": agent.name, "url": goal.url, "model": goal.big.id, "files": files})
        return
    for edit in edits:
        say(f"Into {edit.path}, beside what is there:", "bold")
        print_text(edited(None, edit).rstrip("\n"))
    _tell_key(agent, goal)


def _tell_key(agent: Agent, goal: Target) -> None:
    if goal.needs_key and agent.key_from_variable:
        say(
            f"{agent.title} takes the client key from {KEY_VARIABLE}: export it where you start `{agent.program}`.",
            "cyan",
        )
