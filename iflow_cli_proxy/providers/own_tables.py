"""A file of a person's own that is one list of tables in TOML, such as `[[models]]` or `[[prices]]`.

Knows what may go wrong with such a file. Refuses to know what stands in its tables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from iflow_cli_proxy.core.errors import ConfigError


def own_rows(text: str, name: str, table: str) -> list[dict[str, Any]]:
    """What is under `table`, of a file that errors call `name`.

    Raises:
        ConfigError: not TOML, or anything but tables of that name.
    """
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name} is not TOML: {error}", hint="correct the file, or move it away") from error
    for key in tree:
        if key != table:
            raise ConfigError(f"{name}: unknown key {key!r}.", param=key, hint=f"its tables are called [[{table}]]")
    rows = tree.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{name}: {table} must be tables.", param=table, hint=f"write each one under [[{table}]]")
    return rows


def check_keys(row: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raises ConfigError for a key that is not `known`, with the nearest one that is."""
    known = tuple(known)
    for key in row:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}.", param=f"{where}.{key}", hint=hint)
