"""`/admin/settings` and `/admin/models/aliases`: every setting as the files have it, changed together or not at all.

A change is judged as `config set` judges it, saved to overrides.toml and in force when the answer comes. No secret is
ever sent to the page, which can only replace one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, Path, TableSpec, spec_of
from iflow_cli_proxy.config.listing import needs_restart
from iflow_cli_proxy.config.live import Reload
from iflow_cli_proxy.config.load import Sources
from iflow_cli_proxy.config.names import find_leaf, type_of_entry
from iflow_cli_proxy.config.origin import Layer, Origins, dotted
from iflow_cli_proxy.config.schema import Settings, UpstreamSettings
from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.state.overrides import REMOVED, Override
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.wiring.saving import save_settings

_LOCKS: Final = (Layer.ENVIRONMENT, Layer.FLAG)
_IN_THE_TERMINAL: Final = frozenset({("security", "encrypt"), ("logging", "file"), ("logging", "bodies")})
"""What takes more than a page. To encrypt, all accounts are rewritten and somebody is asked for a passphrase. Where
files with words of clients in them are written is for whoever owns the machine: a page that was taken over could choose
what a shell reads when it starts."""
_VARIABLES: Final = frozenset({"api_key_env", "client_secret_env"})
"""These name variables of the environment, whose values go to a server: a page that was taken over could name both."""
_ALIASES: Final = "models.aliases"


@dataclass(frozen=True, kw_only=True)
class Steering:
    """How the settings of this process are read, written and taken up."""

    sources: Sources
    paths: Paths
    adapt: Callable[[Settings], Settings]
    """What this process makes of them, such as `serve --upstream`."""
    reload: Callable[[], Awaitable[Reload]]


@dataclass(frozen=True, kw_only=True)
class _Changes:
    changes: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Aliases:
    aliases: dict[str, str]


async def show_settings(visit: Visit) -> Json:
    settings, origins = await asyncio.to_thread(_steering(visit).sources.load)
    return {"tables": list(_tables(settings, origins))}


async def change_settings(visit: Visit) -> Json:
    """Names to values; null takes back what was chosen here. A mistake changes nothing and names its setting."""
    given = await visit.body(_Changes)
    done = await _change(visit, given.changes)
    return {
        "applied": list(done.changed),
        "waiting_for_restart": list(done.waiting_for_restart),
        **(await show_settings(visit)),
    }


async def replace_aliases(visit: Visit) -> Json:
    """All of them; those of config.toml stay, and can be changed but not taken out from here."""
    given = await visit.body(_Aliases)
    await _change(visit, {_ALIASES: given.aliases})
    return {"aliases": dict(visit.state.settings.current.models.aliases)}


async def _change(visit: Visit, wanted: Mapping[str, Any]) -> Reload:
    steering = _steering(visit)
    origins, beneath = await asyncio.to_thread(_as_they_are, steering.sources)
    changes = [_override(name, value, beneath, origins) for name, value in wanted.items()]
    if not changes:
        raise InvalidRequest("There is nothing to change.", param="changes")
    await asyncio.to_thread(save_settings, steering.sources, steering.paths, changes, adapt=steering.adapt)
    visit.note("settings were changed: %s", ", ".join(dotted(tuple(path)) for path, _ in changes))
    done = await steering.reload()
    if done.error is not None:
        raise InvalidRequest(
            f"The settings are saved, but could not be taken up: {done.error.message}",
            hint=done.error.hint,
            status=409,
            code="not_applied",
        )
    return done


def _as_they_are(sources: Sources) -> tuple[Origins, Settings]:
    """Where everything comes from, and what would be without what was chosen here."""
    return sources.load()[1], sources.load_with(None)[0]


def _steering(visit: Visit) -> Steering:
    if visit.desk.steering is None:
        raise InvalidRequest("This gateway was not started from settings files.", status=409, code="no_files")
    return visit.desk.steering


# --- one change ---------------------------------------------------------------------------------------------------


def _override(name: str, value: Any, beneath: Settings, origins: Origins) -> Override:
    """Raises InvalidRequest for a value that the setting does not take, or that could not win."""
    path, spec = _found(name)
    if layer := _locked_by(path, origins):
        what = "a flag of the command that started the gateway" if layer is Layer.FLAG else "the environment"
        raise InvalidRequest(
            f"{dotted(path)} is set by {what}, which wins over what is saved here.",
            hint="change it there",
            param=name,
            status=409,
            code="locked",
        )
    if _is_for_the_terminal(path):
        raise InvalidRequest(
            f"{dotted(path)} is changed in a terminal.",
            hint=f"`iflow2api config set {dotted(path)}`",
            param=name,
            status=409,
            code="terminal_only",
        )
    if value is None:
        return path, REMOVED
    _check(name, path, spec, value)
    is_whole_table = path[-1] == spec.name and values.is_table(spec.type) and isinstance(value, Mapping)
    return path, _own_entries(name, path, value, beneath) if is_whole_table else value


def _found(name: str) -> tuple[Path, LeafSpec]:
    try:
        return find_leaf(name)
    except ConfigError as error:
        raise InvalidRequest(error.message, hint=error.hint, param=name[:200]) from error


def _check(name: str, path: Path, spec: LeafSpec, value: Any) -> None:
    """Raises InvalidRequest unless the value, or one entry of a table, is of the right type and in range."""
    if _holds_null(value):
        raise InvalidRequest("There is a null inside, which a settings file cannot hold.", param=name)
    is_entry = path[-1] != spec.name
    judged = LeafSpec(spec.name, type_of_entry(path, spec), spec.default, spec.note) if is_entry else spec
    if is_entry and spec.note.check is not None:
        return  # made for the whole table, which is judged when all is put together
    try:
        values.typed(judged, value)
    except values.Mismatch as error:
        raise InvalidRequest(f"{dotted(path)} takes {error}; nothing was changed.", param=name) from error


def _own_entries(name: str, path: Path, value: Mapping[str, Any], beneath: Settings) -> dict[str, Any]:
    """The entries that differ from what config.toml says; tables of several files are one, entry by entry."""
    known = _value_at(beneath, path)
    if stuck := sorted(set(known) - set(value)):
        raise InvalidRequest(
            f"{stuck[0]} stands in config.toml and cannot be taken out here.",
            hint="take it out of that file",
            param=name,
            status=409,
            code="in_config",
        )
    return {key: item for key, item in value.items() if key not in known or _plain(known[key]) != item}


def _value_at(settings: Settings, path: Path) -> Mapping[str, Any]:
    found: Any = settings
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else getattr(found, key)
    return found if isinstance(found, Mapping) else {}


def _locked_by(path: Path, origins: Origins) -> Layer | None:
    layers = [origin.layer for origin in origins.under(path)]
    return next((layer for layer in reversed(_LOCKS) if layer in layers), None)


def _is_for_the_terminal(path: Path) -> bool:
    return path in _IN_THE_TERMINAL or path[-1] in _VARIABLES


def _holds_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value is None or any(map(_holds_null, inner))


# --- showing them -------------------------------------------------------------------------------------------------


def _tables(settings: Settings, origins: Origins) -> Iterator[dict[str, Json]]:
    inherited = {name: getattr(settings.upstream, name) for name in spec_of(UpstreamSettings).members}
    return _table(spec_of(Settings), settings, (), origins, inherited)


def _table(
    spec: TableSpec, value: Any, at: Path, origins: Origins, inherited: Mapping[str, Any]
) -> Iterator[dict[str, Json]]:
    """This table, if it has leaves, and those in it."""
    is_heir = issubclass(spec.cls, UpstreamSettings) and spec.cls is not UpstreamSettings
    usual = inherited if is_heir else {}
    leaves = [
        _leaf(member, getattr(value, name), (*at, name), origins, usual)
        for name, member in spec.members.items()
        if isinstance(member, LeafSpec)
    ]
    if leaves:
        yield {"name": dotted(at), "help": spec.help, "leaves": leaves}
    for name, member in spec.members.items():
        inner = getattr(value, name)
        if isinstance(member, TableSpec):
            yield from _table(member, inner, (*at, name), origins, inherited)
        elif isinstance(member, NamedSpec):
            for key, item in inner.items():
                yield from _table(member.item, item, (*at, name, key), origins, inherited)


def _leaf(spec: LeafSpec, value: Any, path: Path, origins: Origins, usual: Mapping[str, Any]) -> dict[str, Json]:
    note = spec.note
    is_secret = values.is_secret(spec) or note.hides_values
    default = usual.get(spec.name, spec.default)
    return {
        "name": dotted(path),
        "type": _kind(spec.type),
        "value": None if is_secret else values.plain(value, note, reveal=False),
        "default": None if is_secret else values.plain(default, note, reveal=False),
        "origin": max((origin.layer for origin in origins.under(path)), key=list(Layer).index).value,
        "help": note.help,
        "choices": list(get_args(spec.type)) if get_origin(spec.type) is Literal else [],
        "low": note.low,
        "high": note.high,
        "needs_restart": needs_restart(path),
        "is_secret": is_secret,
        "is_set": bool(value) if is_secret else None,
        "is_in_effect": note.is_in_effect,
        "locked": layer.value if (layer := _locked_by(path, origins)) else _terminal_word(path),
    }


def _terminal_word(path: Path) -> str:
    return "terminal" if _is_for_the_terminal(path) else ""


def _kind(hint: Any) -> str:
    kind = get_origin(hint) or hint
    if kind is Literal:
        return "choice"
    if kind is tuple:
        return "list"
    if values.is_table(kind) or get_args(hint):
        return "table"
    return {bool: "boolean", int: "integer", float: "number"}.get(kind, "text")


def _plain(value: Any) -> Any:
    return values.plain(value, reveal=True)
