"""A `Settings` tree as plain values: for TOML, for tables of names, and to tell two trees apart.

Knows which leaves a provider merely inherits, and leaves those out. Refuses to know where values came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, Path, TableSpec, spec_of
from iflow_cli_proxy.config.schema import Settings, upstream_leaves


@dataclass(frozen=True)
class Entry:
    """One setting with its value: a leaf, or one entry of a table of free names."""

    path: Path
    value: Any
    spec: LeafSpec


def tree_of(settings: Settings, *, reveal: bool = False, is_complete: bool = False) -> dict[str, Any]:
    """The settings as nested tables, the form that TOML and JSON hold; complete: with what providers inherit."""
    inherited = {} if is_complete else upstream_leaves(settings.upstream)
    return _tree(spec_of(Settings), settings, inherited, reveal)


def entries(settings: Settings, *, reveal: bool = False) -> Iterator[Entry]:
    """Every setting in the order of the schema; an empty table of free names is one entry."""
    return _entries(spec_of(Settings), tree_of(settings, reveal=reveal), ())


def differences(before: Settings, after: Settings) -> list[Path]:
    """The names of the settings that differ, without their values, which may be secret."""
    old = {entry.path: entry.value for entry in entries(before, reveal=True)}
    new = {entry.path: entry.value for entry in entries(after, reveal=True)}
    return [path for path in {**old, **new} if path not in old or path not in new or old[path] != new[path]]


def needs_restart(path: Path) -> bool:
    """True when a change of this setting is seen only by a new process."""
    spec = spec_of(Settings).members.get(path[0])
    member = spec.members.get(path[1]) if isinstance(spec, TableSpec) and len(path) > 1 else None
    return isinstance(member, LeafSpec) and member.note.needs_restart


def kept_until_restart(before: Settings, after: Settings) -> Settings:
    """`after`, but for what only a new process obeys: that stays as in `before`, which the running one still is."""
    tables: dict[str, Any] = {}
    for name, spec in spec_of(Settings).members.items():
        if isinstance(spec, TableSpec):
            kept = {leaf: getattr(getattr(before, name), leaf) for leaf in spec.members if needs_restart((name, leaf))}
            if kept:
                tables[name] = replace(getattr(after, name), **kept)
    return replace(after, **tables)


def _tree(spec: TableSpec, table: Any, inherited: Mapping[str, Any], reveal: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, member in spec.members.items():
        value = getattr(table, name)
        match member:
            case LeafSpec():
                made[name] = values.plain(value, member.note, reveal=reveal)
            case TableSpec():
                made[name] = _tree(member, value, inherited, reveal)
            case NamedSpec():
                made[name] = {
                    key: _without_inherited(_tree(member.item, item, inherited, reveal), item, inherited)
                    for key, item in value.items()
                }
    return made


def _without_inherited(tree: dict[str, Any], item: object, inherited: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in tree.items() if name not in inherited or getattr(item, name) != inherited[name]
    }


def _entries(spec: TableSpec, tree: Mapping[str, Any], at: Path) -> Iterator[Entry]:
    for name, value in tree.items():
        path = (*at, name)
        match spec.members[name]:
            case LeafSpec() as leaf if isinstance(value, dict) and value:
                yield from (Entry((*path, key), item, leaf) for key, item in value.items())
            case LeafSpec() as leaf:
                yield Entry(path, value, leaf)
            case TableSpec() as table:
                yield from _entries(table, value, path)
            case NamedSpec() as named:
                for key, item in value.items():
                    yield from _entries(named.item, item, (*path, key))
