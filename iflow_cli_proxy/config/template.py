"""The commented config.toml of `config init` and the reference page, both derived from the schema.

Knows how a setting is explained in a file and in a table. Refuses to hold help or defaults of its own.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_origin

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, NamedSpec, Path, TableSpec, spec_of
from iflow_cli_proxy.config.origin import dotted, quoted
from iflow_cli_proxy.config.schema import Settings, UpstreamSettings
from iflow_cli_proxy.config.variables import variable_of

_HEAD: Final = """\
# The settings of iflow2api. A line that starts with # and a name shows a default or an example: take
# the # away and change the value. `iflow2api config validate` checks this file, and a running gateway
# takes up a valid change by itself.
#
# Every setting may also come from the environment: server.port is IFLOW2API_SERVER_PORT.
"""
_REFERENCE_HEAD: Final = """\
# Configuration

Generated from `iflow_cli_proxy/config/schema.py`; `python -m iflow_cli_proxy.config.template` prints it.

Values are taken from the defaults, `config.toml`, `overrides.toml` (written by `iflow2api config set`), the environment
and flags; the later one wins. `iflow2api config show --origins` tells which it was. In the environment lists are
separated by commas, and tables are inline TOML.

"""
_EXAMPLE_NAME: Final[Mapping[Path, str]] = {
    ("providers",): "desk",
    ("models", "parameters"): "glm-*",
    ("pools",): "work",
}
_LONG_NUMBER: Final = 100_000


def template() -> str:
    """A config.toml in which nothing is set and everything is explained."""
    return _HEAD + "\n".join(_tables(spec_of(Settings), ())) + "\n"


def reference() -> str:
    """Every setting as Markdown: the text of docs/configuration.md."""
    return _REFERENCE_HEAD + "\n".join(_reference(spec_of(Settings), ()))


def toml_value(value: Any) -> str:
    """A plain value on one line of TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= _LONG_NUMBER:
            return f"{value:_}"
        case str():
            return quoted(value)
        case list():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case dict():
            pairs = ", ".join(f"{dotted((key,))} = {toml_value(item)}" for key, item in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            return str(value)


def _tables(table: TableSpec, at: Path) -> Iterator[str]:
    if at and not _has_only_tables(table):
        yield from ("", f"# {table.help}", f"[{dotted(at)}]")
        yield from _leaves(table)
    for name, member in table.members.items():
        path = (*at, name)
        match member:
            case TableSpec():
                yield from _tables(member, path)
            case NamedSpec():
                yield from ("", f"# {member.item.help}", f"#[{dotted((*path, _EXAMPLE_NAME[path]))}]")
                yield from _leaves(member.item, leave_out=_shared(member.item))
            case LeafSpec() if _has_only_tables(table):
                yield from ("", f"# {member.note.help}", f"[{dotted(path)}]")
                pairs = tomllib.loads(f"example = {member.note.example}")["example"].items()
                yield from (f"#{dotted((key,))} = {toml_value(item)}" for key, item in pairs)
            case LeafSpec():
                pass


def _leaves(table: TableSpec, leave_out: frozenset[str] = frozenset()) -> Iterator[str]:
    for name, leaf in table.members.items():
        if isinstance(leaf, LeafSpec) and name not in leave_out:
            choices = f" ({values.takes(leaf.type)})" if get_origin(leaf.type) is Literal else ""
            yield f"# {leaf.note.help}{choices}"
            yield f"#{name} = {leaf.note.example or _default(leaf)}"


def _reference(table: TableSpec, at: Path) -> Iterator[str]:
    leaves = {name: leaf for name, leaf in table.members.items() if isinstance(leaf, LeafSpec)}
    shown = {name: leaf for name, leaf in leaves.items() if name not in _shared(table)}
    if shown:
        yield from (f"## `[{dotted(at)}]`", "", table.help, "")
        yield from ("| setting | default | takes | what it is | environment |", "|---|---|---|---|---|")
        yield from (_row((*at, name), leaf) for name, leaf in shown.items())
        yield ""
    for name, member in table.members.items():
        if isinstance(member, TableSpec):
            yield from _reference(member, (*at, name))
        elif isinstance(member, NamedSpec):
            yield from _reference(member.item, (*at, name, "NAME"))


def _row(path: Path, leaf: LeafSpec) -> str:
    cells = (
        f"`{path[-1]}`",
        f"`{_default(leaf)}`",
        values.describe(leaf).replace("|", "\\|"),
        leaf.note.help.replace("|", "\\|"),
        f"`{variable_of(_reachable(path))}`",
    )
    return "| " + " | ".join(cells) + " |"


def _reachable(path: Path) -> Path:
    """What a variable can name: a glob is no part of a variable's name, so its table is set as a whole."""
    return path[: path.index("NAME")] if path[:2] == ("models", "parameters") else path


def _default(leaf: LeafSpec) -> str:
    return toml_value(values.plain(leaf.default, leaf.note, reveal=False))


def _shared(table: TableSpec) -> frozenset[str]:
    """What a provider shares with [upstream] is explained there."""
    is_heir = issubclass(table.cls, UpstreamSettings) and table.cls is not UpstreamSettings
    return frozenset(spec_of(UpstreamSettings).members) if is_heir else frozenset()


def _has_only_tables(table: TableSpec) -> bool:
    return all(
        isinstance(member, TableSpec | NamedSpec) or values.is_table(member.type) for member in table.members.values()
    )


if __name__ == "__main__":
    sys.stdout.write(reference())
