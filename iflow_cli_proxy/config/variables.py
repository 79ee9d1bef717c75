"""The environment twin of every setting, in both directions.

Knows how a dotted name is spelled as `IFLOW2API_<TABLE>_<KEY>`. Refuses to know what the values mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Final

from iflow_cli_proxy.config.leaf import NamedSpec, Path, Spec, TableSpec
from iflow_cli_proxy.config.origin import nearest

PREFIX: Final = "IFLOW2API_"
CLIENT_KEY_VARIABLE: Final = "IFLOW2API_CLIENT_KEY"
"""Client keys separated by commas, added to those of the files."""
UPSTREAM_KEY_VARIABLE: Final = "IFLOW2API_UPSTREAM_API_KEY"
"""The key of `serve --upstream`; it looks like a leaf of [upstream] and is none."""
SPECIAL: Final = frozenset(
    {
        CLIENT_KEY_VARIABLE,
        UPSTREAM_KEY_VARIABLE,
        "IFLOW2API_HOME",
        "IFLOW2API_CONFIG",
        "IFLOW2API_LANG",
        "IFLOW2API_PASSPHRASE",
        "IFLOW2API_PASSPHRASE_FILE",
        "IFLOW2API_KEYS_JSON",
        "IFLOW2API_KEYS_PATH",
    }
)
"""Variables of ours that are no settings."""

_MOST_TYPOS: Final = 2
_ALIKE: Final = 0.8


def variable_of(path: Path) -> str:
    """`IFLOW2API_PROVIDERS_DESK_BASE_URL` for `providers.desk.base_url`."""
    return PREFIX + "_".join(path).upper().replace("-", "_")


def setting_of(
    variable: str, root: TableSpec, names: Mapping[str, Iterable[str]] = MappingProxyType({})
) -> tuple[Path, Spec] | None:
    """The setting a variable stands for; `names` are those that exist already, by table: `{"providers": ["desk"]}`.

    A variable cannot tell `-` from `_`: an existing name of either spelling is taken, else the one with `_`.
    """
    fixed = _fixed(root)
    if variable in fixed:
        return fixed[variable]
    for table, spec in root.members.items():
        start = f"{PREFIX}{table.upper()}_"
        if isinstance(spec, NamedSpec) and variable.startswith(start):
            return _in_named(variable.removeprefix(start), table, spec, names.get(table, ()))
    return None


def is_misspelt(variable: str, root: TableSpec) -> bool:
    """True when a variable that stands for nothing was surely meant for us.

    Other programs may use our prefix, so a name that resembles nothing of ours passes.
    """
    words = variable.removeprefix(PREFIX)
    first = words.partition("_")[0].lower()
    if any(distance(first, table) <= _MOST_TYPOS for table in root.members):
        return True
    known = [name.removeprefix(PREFIX) for name in (*_fixed(root), *SPECIAL)]
    return bool(get_close_matches(words, known, n=1, cutoff=_ALIKE))


def meant_by(variable: str, root: TableSpec) -> str:
    """The variable a misspelt one was meant to be, or nothing when none is close."""
    known = [name.removeprefix(PREFIX) for name in (*_fixed(root), *SPECIAL)]
    near = nearest(variable.removeprefix(PREFIX), known)
    return PREFIX + near if near else ""


def distance(one: str, other: str) -> int:
    """How many letters must be put in, taken out or replaced to make one word of the other."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row = row, [at]
        for place, wanted in enumerate(other):
            row.append(min(before[place + 1] + 1, row[place] + 1, before[place] + (letter != wanted)))
    return row[-1]


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
