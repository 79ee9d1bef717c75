"""overrides.toml: what commands and the admin page chose, on top of the person's own config.toml.

Knows how to change one entry without losing another process's change. Refuses to know which settings exist: the caller
hands over a check of the whole new text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.atomic import read_private, remove_leftovers, write_private
from iflow_cli_proxy.state.lock import FileLock

Override: TypeAlias = tuple[Sequence[str], Any]
"""The name of a setting, in pieces, and its value."""
REMOVED: Final = object()
"""As a value: the setting, or the whole table of that name, is taken out."""


def set_overrides(path: Path, changes: Iterable[Override], *, check: Callable[[str], None]) -> None:
    """Write some settings together, keeping all others. `check` sees the text before it is saved, and may raise.

    Raises:
        StateError: the file cannot be read, is not TOML, or cannot be written.
    """
    import tomli_w

    with FileLock(path):
        remove_leftovers(path)
        tree = _read(path)
        for name, value in changes:
            _put(tree, name, value)
        text = tomli_w.dumps(tree)
        check(text)
        write_private(path, text.encode())


def _read(path: Path) -> dict[str, Any]:
    data = read_private(path)
    try:
        return tomllib.loads((data or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise StateError(
            "overrides.toml is damaged, so nothing was written to it.",
            detail=str(path),
            hint="move it away; `iflow2api config validate` shows where it is wrong",
        ) from error


def _put(tree: dict[str, Any], name: Sequence[str], value: Any) -> None:
    table = tree
    for key in name[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = table[key] = {}
        table = inner
    if value is REMOVED:
        table.pop(name[-1], None)
    else:
        table[name[-1]] = value
