"""The environment twin of every setting, in both directions.

Knows how a dotted name is spelled as `IFLOW2API_<TABLE>_<KEY>`. Refuses to know what the values mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from iflow_cli_proxy.config.leaf import NamedSpec, Path, Spec, TableSpec

PREFIX: Final = "IFLOW2API_"
CLIENT_KEY_VARIABLE: Final = "IFLOW2API_CLIENT_KEY"
"""Client keys separated by commas, added to those of the files."""
UPSTREAM_KEY_VARIABLE: Final = "IFLOW2API_UPSTREAM_API_KEY"
"""The key of `serve --upstream`; it looks like a leaf of [upstream] and is none."""


def variable_of(path: Path) -> str:
    """`IFLOW2API_PROVIDERS_DESK_BASE_URL` for `providers.desk.base_url`."""
    return PREFIX + "_".join(path).upper().replace("-", "_")


def setting_of(variable: str, root: TableSpec, names: Iterable[str] = ()) -> tuple[Path, Spec] | None:
    """The setting a variable stands for; `names` are tables under [providers] that exist already.

    A variable cannot tell `-` from `_`: an existing name of either spelling is taken, else the one with `_`.
    """
    fixed = _fixed(root)
    if variable in fixed:
        return fixed[variable]
    for table, spec in root.members.items():
        start = f"{PREFIX}{table.upper()}_"
        if isinstance(spec, NamedSpec) and variable.startswith(start):
            return _in_named(variable.removeprefix(start), table, spec, names)
    return None


def all_variables(root: TableSpec) -> list[str]:
    """Every variable whose name is known beforehand."""
    return list(_fixed(root))


@cache
def _fixed(root: TableSpec) -> dict[str, tuple[Path, Spec]]:
    return {variable_of(path): (path, spec) for path, spec in _nodes(root, ())}


def _nodes(table: TableSpec, at: Path) -> Iterator[tuple[Path, Spec]]:
    for name, member in table.members.items():
        if isinstance(member, TableSpec):
            yield from _nodes(member, (*at, name))
        else:
            yield (*at, name), member


def _in_named(rest: str, table: str, spec: NamedSpec, names: Iterable[str]) -> tuple[Path, Spec] | None:
    fits = [key for key in spec.item.members if rest.endswith(f"_{key.upper()}")]
    if not fits:
        return None
    key = max(fits, key=len)
    spelled = rest.removesuffix(f"_{key.upper()}").lower()
    name = next((known for known in names if known.replace("-", "_") == spelled), spelled)
    return (table, name, key), spec.item.members[key]
