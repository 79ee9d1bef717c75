"""On which line of a TOML file a setting stands; `tomllib` does not tell.

Reads a text that is already known to be valid, statement by statement, so a wrong guess can only cost a line number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Final

from iflow_cli_proxy.config.leaf import Path

_MOST_CHARACTERS_TRIED: Final = 1 << 20
_MAY_CLOSE: Final = ("]", "}", '"""', "'''")


def line_numbers(text: str) -> dict[Path, int]:
    """The first line of every key, table and entry, by its full name."""
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text.replace("\r\n", "\n").split("\n")):
        match statement.lstrip()[:2]:
            case "[[":
                continue  # arrays of tables are no shape a setting has
            case head if head.startswith("["):
                table = next(_paths(tomllib.loads(statement)), ())
                for depth in range(1, len(table) + 1):
                    found.setdefault(table[:depth], line)
            case _:
                for path in _paths(tomllib.loads(statement)):
                    for depth in range(1, len(path) + 1):
                        found.setdefault((*table, *path[:depth]), line)
    return found


def _statements(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each statement with the number of its first line; values over several lines are put together.

    Stops early in a text that would take long to take apart; what follows has no line numbers then.
    """
    left = _MOST_CHARACTERS_TRIED
    at = 0
    while at < len(lines):
        first = at
        at += 1
        if not lines[first].strip() or lines[first].lstrip().startswith("#"):
            continue
        statement = lines[first]
        while not _is_whole(statement):
            last = next((n for n in range(at, len(lines)) if any(mark in lines[n] for mark in _MAY_CLOSE)), None)
            left -= len(statement)
            if last is None or left < 0:
                return
            at = last + 1
            statement = "\n".join(lines[first:at])
        yield first + 1, statement


def _is_whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except (ValueError, RecursionError):
        return False
    return True


def _paths(tree: Mapping[str, object]) -> Iterator[Path]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            for path in _paths(value):
                yield (key, *path)
        else:
            yield (key,)
