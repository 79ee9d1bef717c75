"""A settings file of an agent with our values in it, and everything else as it was.

Each format is edited as text, so that comments and order stay. What comes out is read again and compared with what
should have come out: an edit that a file is too unusual for is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from iflow_cli_proxy.agents import dotenv, jsonc, toml_text
from iflow_cli_proxy.agents.base import Change, Edit, FileKind
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json

_BOM: Final = "\ufeff"

_SETTERS: Final[Mapping[FileKind, Callable[[str, tuple[str, ...], Json], str]]] = {
    "json": jsonc.with_value,
    "toml": toml_text.with_value,
    "dotenv": dotenv.with_value,
}
_READERS: Final[Mapping[FileKind, Callable[[str], dict[str, Json]]]] = {
    "json": jsonc.read,
    "toml": toml_text.read,
    "dotenv": dotenv.read,
}


def edited(text: str | None, edit: Edit) -> str:
    """The text of the file with every change made; None is a file that is not there yet.

    Raises:
        ConfigError: the file is damaged, or too unusual to be edited safely.
    """
    mark = _BOM if text and text.startswith(_BOM) else ""
    before = (text or "").removeprefix(_BOM)
    is_windows = "\r\n" in before
    after = before.replace("\r\n", "\n") if is_windows else before
    read, with_value = _READERS[edit.kind], _SETTERS[edit.kind]
    try:
        expected = read(after)
        for change in _due(edit.changes, expected):
            _put(expected, change)
            after = with_value(after, change.name, change.value)
        is_right = read(after) == expected
    except ValueError as error:
        raise _refusal(edit, f"it is damaged: {error}") from error
    if not is_right:
        raise _refusal(edit, "it is written in a way that cannot be edited safely")
    return mark + (after.replace("\n", "\r\n") if is_windows else after)


def _due(changes: tuple[Change, ...], tree: Mapping[str, Json]) -> list[Change]:
    return [one for one in changes if not (one.only_if_absent and _has(tree, one.name))]


def _has(tree: Json, name: tuple[str, ...]) -> bool:
    for word in name:
        if not isinstance(tree, dict) or word not in tree:
            return False
        tree = tree[word]
    return True


def _put(tree: dict[str, Json], change: Change) -> None:
    for word in change.name[:-1]:
        inner = tree.get(word)
        if not isinstance(inner, dict):
            inner = tree[word] = {}
        tree = inner
    tree[change.name[-1]] = change.value


def _refusal(edit: Edit, reason: str) -> ConfigError:
    return ConfigError(
        f"{edit.path.name} of the agent was not changed: {reason}.",
        detail=str(edit.path),
        hint="correct the file, or write there yourself what `iflow2api connect AGENT --print` shows",
    )
