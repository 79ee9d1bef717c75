"""TOML edited as text: comments and order stay.

Knows one `key = value` on a line, in the root or under a `[table]`. Whatever is written otherwise may come out wrong;
whoever edits has to read the result again (`editing.py`).
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_KEY: Final = re.compile(r"""\s*(?:"(?P<quoted>[^"]*)"|'(?P<literal>[^']*)'|(?P<bare>[A-Za-z0-9_-]+))\s*=""")
_BEFORE_COMMENT: Final = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^#"'])*""")


def read(text: str) -> dict[str, Json]:
    """The tree a text holds. Raises tomllib.TOMLDecodeError, a ValueError."""
    return tomllib.loads(text)


def with_value(text: str, name: tuple[str, ...], value: Json) -> str:
    """The text with one value replaced or added, its table made at the end where it is missing."""
    lines = text.split("\n")
    table, key = name[:-1], name[-1]
    region = _region(lines, table)
    if region is None:
        body = text.rstrip("\n")
        gap = "\n\n" if body else ""
        return f"{body}{gap}[{'.'.join(map(_key, table))}]\n{_line(key, value)}\n"
    start, end = region
    for at in range(start, end):
        found = _KEY.match(lines[at])
        if found and key in found.groups():
            lines[at] = _line(key, value) + _comment(lines[at])
            return "\n".join(lines)
    while end > start and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, _line(key, value))
    is_followed = end + 1 < len(lines) and lines[end + 1].lstrip().startswith("[")
    return "\n".join([*lines[: end + 1], *([""] if is_followed else []), *lines[end + 1 :]])


def rendered(value: Json) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {rendered(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(rendered, value)) + "]"
    return jsonx.encode(value).decode()


def _region(lines: list[str], table: tuple[str, ...]) -> tuple[int, int] | None:
    """The lines between a table's head and the next one; the root's begin with the file."""
    heads = [at for at, line in enumerate(lines) if line.lstrip().startswith("[")]
    ends = [*heads, len(lines)]
    if not table:
        return 0, ends[0]
    for place, at in enumerate(heads):
        if _head(lines[at]) == table:
            return at + 1, ends[place + 1]
    return None


def _head(line: str) -> tuple[str, ...] | None:
    """The name between the brackets; None when this is no head of a table."""
    try:
        tree = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    name: list[str] = []
    while isinstance(tree, dict) and len(tree) == 1:
        [(word, tree)] = tree.items()
        name.append(word)
    return tuple(name) if tree == {} else None


def _line(key: str, value: Json) -> str:
    return f"{_key(key)} = {rendered(value)}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else rendered(name)


def _comment(line: str) -> str:
    """The remark at the end of a line, with the blanks before it."""
    found = _BEFORE_COMMENT.match(line)
    assert found is not None
    before = found.group()
    return line[len(before.rstrip()) :] if len(before) < len(line) else ""
