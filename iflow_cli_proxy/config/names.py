"""From what a person types for a setting to its full name, with a suggestion when there is no such setting.

Knows the dotted form (`server.port`, `models.aliases.claude-*`, `providers."desk".base_url`). Refuses to know values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any, get_args

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, Path, Spec, TableSpec, spec_of
from iflow_cli_proxy.config.origin import dotted, nearest
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError


def find_setting(name: str) -> tuple[Path, Spec]:
    """The full name and the description; for an entry of a table of free names, that of the table.

    Raises:
        ConfigError: there is no such setting.
    """
    parts = _parts(name)
    spec: Spec = spec_of(Settings)
    path: Path = ()
    for at, key in enumerate(parts):
        match spec:
            case TableSpec():
                if key not in spec.members:
                    raise _unknown((*path, key), nearest_setting((*path, key), spec))
                spec = spec.members[key]
            case NamedSpec():
                spec = spec.item
            case LeafSpec():
                return _entry(path, parts[at:], spec)
        path = (*path, key)
    return path, spec


def find_leaf(name: str) -> tuple[Path, LeafSpec]:
    """`find_setting` for a name that must not be a whole table.

    Raises:
        ConfigError: there is no such setting, or it is a table.
    """
    path, spec = find_setting(name)
    if not isinstance(spec, LeafSpec):
        raise ConfigError(
            f"{dotted(path)} is a table, not one setting.",
            hint=f"iflow2api config get {dotted(path)}",
            param=dotted(path),
        )
    return path, spec


def type_of_entry(path: Path, spec: LeafSpec) -> Any:
    """The type of a leaf, or of one entry when the name goes on into a table of free names."""
    table = _table_type(spec.type)
    return get_args(table)[1] if table and path[-1] != spec.name else spec.type


def nearest_setting(path: Path, table: TableSpec) -> Path:
    """What a wrong name at the end of `path` was meant to be: a neighbour, else a setting of that name elsewhere."""
    if near := nearest(path[-1], table.members):
        return (*path[:-1], near)
    return next((known for known, _ in spec_of(Settings).leaves() if known[-1] == path[-1]), ())


def _parts(name: str) -> list[str]:
    if '"' not in name and "'" not in name:
        return name.split(".")
    try:
        tree: Any = tomllib.loads(f"{name} = 0")
    except ValueError:
        return [name]
    parts = []
    while isinstance(tree, dict) and tree:
        key = next(iter(tree))
        parts.append(key)
        tree = tree[key]
    return parts


def _entry(path: Path, rest: Sequence[str], spec: LeafSpec) -> tuple[Path, Spec]:
    """What follows the name of a table is one key, dots and all: models have names such as glm-4.7."""
    if _table_type(spec.type) is None:
        raise _unknown((*path, *rest), path)
    return (*path, ".".join(rest)), spec


def _table_type(hint: Any) -> Any:
    return next((arm for arm in (hint, *get_args(hint)) if values.is_table(arm)), None)


def _unknown(path: Path, meant: Path) -> ConfigError:
    name = dotted(path)
    return ConfigError(
        f"There is no setting {name}. Did you mean {dotted(meant)}?" if meant else f"There is no setting {name}.",
        hint="iflow2api config show lists them all",
        param=dotted(path),
    )
