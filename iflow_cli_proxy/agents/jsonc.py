"""JSON with comments and trailing commas, read and edited as text: comments, order and spacing stay.

Refuses to know files and what the values mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError

_STEP: Final = "  "
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD: Final = re.compile(r"[^\s,}\]]+")
_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_NOT_BLANK: Final = re.compile(r"[^\n]")


@dataclass(frozen=True)
class _Member:
    key: str
    start: int
    """Of its key."""
    value: int
    end: int
    """Of its value."""


def read(text: str) -> dict[str, Json]:
    """The object a text holds; an empty text holds an empty one. Raises JsonError, a ValueError."""
    bare = _bare(text)
    tree = jsonx.decode(bare) if bare.strip() else {}
    if not isinstance(tree, dict):
        raise JsonError("not an object")
    return tree


def with_value(text: str, name: tuple[str, ...], value: Json) -> str:
    """The text with one value replaced or added, the objects on the way to it made where they are missing."""
    if not _bare(text).strip():
        text = f"{text.rstrip()}\n{{}}\n".lstrip("\n")
    bare = _bare(text)
    return _set(text, bare, bare.index("{"), name, value)


def _set(text: str, bare: str, opening: int, name: tuple[str, ...], value: Json) -> str:
    members, closing = _members(bare, opening)
    found = next((one for one in reversed(members) if one.key == name[0]), None)
    if found is None:
        for word in reversed(name[1:]):
            value = {word: value}
        return _added(text, bare, opening, closing, members, name[0], value)
    if len(name) > 1 and bare[found.value] == "{":
        return _set(text, bare, found.value, name[1:], value)
    for word in reversed(name[1:]):
        value = {word: value}
    return text[: found.value] + _rendered(value, _indent_at(text, found.start)) + text[found.end :]


def _added(text: str, bare: str, opening: int, closing: int, members: list[_Member], key: str, value: Json) -> str:
    outer = _indent_at(text, opening)
    inner = _indent_at(text, members[0].start) if members and _begins_line(text, members[0].start) else outer + _STEP
    if members and "\n" not in text[opening:closing]:
        entry = f", {_quoted(key)}: {jsonx.encode(value).decode()}"
        return text[: members[-1].end] + entry + text[members[-1].end :]
    entry = f"\n{inner}{_quoted(key)}: {_rendered(value, inner)}"
    if not members:
        kept = text[opening + 1 : closing].rstrip()  # comments in an object that is empty but for them
        return f"{text[: opening + 1]}{kept}{entry}\n{outer}{text[closing:]}"
    end = members[-1].end
    rest_of_line = text[end : (text + "\n").index("\n", end)]
    if bare[end : end + len(rest_of_line)].strip() or rest_of_line.count("/*") > rest_of_line.count("*/"):
        return text[:end] + "," + entry + text[end:]
    place = end + len(rest_of_line)  # a remark behind the last member stays behind it
    comma = "" if text[end:closing].lstrip().startswith(",") else ","
    return text[:end] + comma + text[end:place] + entry + text[place:]


def _members(bare: str, opening: int) -> tuple[list[_Member], int]:
    """The members of an object and where it closes; `bare` is good JSON."""
    members: list[_Member] = []
    at = _skip(bare, opening + 1)
    while bare[at] != "}":
        key = _STRING.match(bare, at)
        assert key is not None
        value = _skip(bare, _skip(bare, key.end()) + 1)
        end = _end_of(bare, value)
        members.append(_Member(jsonx.decode(key.group()), at, value, end))
        at = _skip(bare, end)
        if bare[at] == ",":
            at = _skip(bare, at + 1)
    return members, at


def _end_of(bare: str, at: int) -> int:
    """Where the value that begins here ends."""
    if bare[at] == '"':
        found = _STRING.match(bare, at)
        assert found is not None
        return found.end()
    if bare[at] not in "{[":
        found = _WORD.match(bare, at)
        assert found is not None
        return found.end()
    depth = 0
    for token in _BRACKET.finditer(bare, at):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
        if not depth:
            return token.end()
    return len(bare)


def _bare(text: str) -> str:
    """The same text, with blanks where comments and trailing commas stand: every place keeps its number."""

    def blank(found: re.Match[str]) -> str:
        return found.group() if found.group().startswith('"') else _NOT_BLANK.sub(" ", found.group())

    without_comments = _TOKEN.sub(blank, text)
    return _LAST_COMMA.sub(lambda found: found.group(1) or " ", without_comments)


def _skip(bare: str, at: int) -> int:
    while bare[at].isspace():
        at += 1
    return at


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _indent_at(text: str, at: int) -> str:
    """The blanks that the line of a place begins with."""
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _rendered(value: Json, indent: str) -> str:
    return jsonx.indented(value).decode().rstrip("\n").replace("\n", f"\n{indent}")


def _quoted(key: str) -> str:
    return jsonx.encode(key).decode()
