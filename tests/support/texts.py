"""Every text of the package that a person can read, found in its syntax trees and in its tree of commands.

A text is a string with words and spaces, or one that stands where only text for people stands (headings, `spoken`).
An f-string becomes a template, `{}` for each place; where a place is one of several words of ours, there is a template
for each. What is written for programs, models and logs is left out by `UNSPOKEN`, each with its reason.

`python -m tests.support.texts` prints the lines that `zh.toml` lacks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import typer

from iflow_cli_proxy.cli.app import app
from tests.support.house import Module, is_under, read_house

ROOT: Final = Path(__file__).parents[2]

UNSPOKEN: Final = {
    "demo": "what a simulated upstream answers",
    "protocols": "errors and notes in the protocols' own words: programs match on them",
    "language": "it is the translator",
}
"""Rooms and modules whose texts no person reads, or only in English."""

_PROSE: Final = re.compile(r"[A-Za-z]*[a-z]{2}")
_MOST_VARIANTS: Final = 32
_SILENT_CALLS: Final = re.compile(
    r"(?:^|\.)(?:compile|execute|executemany|executescript|debug|info|warning|exception|log|AssertionError|TypeError"
    r"|RuntimeError|NotImplementedError|getLogger|startswith|endswith|fromisoformat|strftime|TypeVar)$"
)
"""Patterns, SQL, logs, and errors that are our bugs."""
_SILENT_ARGUMENTS: Final = frozenset({"metavar", "envvar", "prefix", "name"})
_HEADINGS: Final = re.compile(r"COLUMNS$|HEADINGS$")
_HEADED_CALLS: Final = frozenset({"print_table"})
_WORD_CALLS: Final = frozenset({"spoken", "Column"})


@dataclass(frozen=True)
class Text:
    """One text and the place it was found at."""

    template: str
    where: str


def every_text() -> list[Text]:
    """Of the whole package, the commands' help included; each text once."""
    found: dict[str, Text] = {}
    for one in read_house(ROOT):
        if not is_under(one.name, *UNSPOKEN):
            for text in texts_of(one):
                found.setdefault(text.template, text)
    for text in help_texts(typer.main.get_command(app)):
        found.setdefault(text.template, text)
    return list(found.values())


def texts_of(one: Module) -> Iterator[Text]:
    """The texts of one module."""
    silent = set(_silent_nodes(one.tree))
    words = set(_word_nodes(one.tree))
    todo: list[ast.AST] = [one.tree]
    while todo:
        node = todo.pop()
        if id(node) in silent:
            continue
        if isinstance(node, ast.Constant | ast.JoinedStr):
            for template in _templates(node):
                if _is_prose(template) or (id(node) in words and _PROSE.search(template)):
                    yield Text(template.strip(), one.at(node.lineno))
            todo += _inner(node)
        else:
            todo += ast.iter_child_nodes(node)


def _is_prose(template: str) -> bool:
    bare = template.strip()
    return " " in bare and bool(_PROSE.search(bare.replace("{}", "")))


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in the places of an f-string and is no variant of it."""
    for place in ast.walk(node):
        if isinstance(place, ast.FormattedValue) and _branches(place.value) is None:
            yield place.value


def _templates(node: ast.expr) -> list[str]:
    """The template of a string, one for each choice among words of ours in it; nothing for what is no string."""
    match node:
        case ast.Constant(value=str(text)):
            return [text.replace("{", "{{").replace("}", "}}")]
        case ast.JoinedStr(values=values):
            variants = [_variants(part) for part in values]
            return ["".join(chosen) for chosen, _ in zip(product(*variants), range(_MOST_VARIANTS), strict=False)]
        case _:
            return []


def _variants(part: ast.expr) -> list[str]:
    if isinstance(part, ast.FormattedValue):
        return _branches(part.value) or ["{}"]
    return _templates(part)


def _branches(value: ast.expr) -> list[str] | None:
    """What a place says when it says one of several words of ours; None when it is filled with anything else."""
    match value:
        case ast.IfExp(body=body, orelse=orelse):
            chosen = [body, orelse]
        case ast.BoolOp(op=ast.Or(), values=values):
            chosen = values
        case _:
            return None
    said = [_templates(each) or _branches(each) or ["{}"] for each in chosen]
    return [text for texts in said for text in texts] if any(texts != ["{}"] for texts in said) else None


# --- what is not for people ---------------------------------------------------------------------------------------


def _silent_nodes(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as docstring):
                yield id(docstring)
            case ast.Call(func=func, args=args, keywords=keywords):
                if _SILENT_CALLS.search(ast.unparse(func)):
                    yield from map(id, args)
                yield from (id(each.value) for each in keywords if each.arg in _SILENT_ARGUMENTS)
            case ast.Subscript(slice=index):
                yield id(index)
            case ast.Assert(msg=ast.expr() as msg):
                yield id(msg)
            case _:
                pass


def _word_nodes(tree: ast.Module) -> Iterator[int]:
    """Strings that are for people although they are a single word."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, args=args, keywords=keywords):
                name = ast.unparse(func).rpartition(".")[2]
                if name in _HEADED_CALLS and args:
                    yield from _strings(args[0])
                if name in _WORD_CALLS:
                    yield from (each for arg in [*args, *(key.value for key in keywords)] for each in _own(arg))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _HEADINGS.search(name):
                yield from _strings(value)
            case _:
                pass


def _own(node: ast.expr) -> Iterator[int]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield id(node)
    elif isinstance(node, ast.IfExp):
        yield from (*_own(node.body), *_own(node.orelse))


def _strings(node: ast.AST) -> Iterator[int]:
    return (id(each) for each in ast.walk(node) if isinstance(each, ast.Constant))


# --- the tree of commands -----------------------------------------------------------------------------------------


def help_texts(command: Any) -> Iterator[Text]:
    """What the pages of help say: of a command, its parameters and the commands under it."""
    for paragraph in (command.help or "").split("\n\n"):
        if paragraph.strip():
            yield Text(_doubled(" ".join(paragraph.split())), f"the help of {command.name}")
    for parameter in command.params:
        shown = parameter.show_default if isinstance(getattr(parameter, "show_default", None), str) else ""
        for text in (getattr(parameter, "help", None) or "", shown):
            if _PROSE.search(text):
                yield Text(_doubled(" ".join(text.split())), f"{command.name} --{parameter.name}")
    for child in getattr(command, "commands", {}).values():
        yield from help_texts(child)


def _doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# --- the catalogue ------------------------------------------------------------------------------------------------


def lacking(texts: Iterable[Text], known: Iterable[str]) -> list[Text]:
    """The texts that have no line."""
    held = set(known)
    return [text for text in texts if text.template not in held]


def line(english: str, chinese: str = "") -> str:
    """A line of the catalogue."""
    return f"{_quoted(english)} = {_quoted(chinese)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def known_texts() -> dict[str, str]:
    """The lines of the program as the catalogue has them."""
    import tomllib

    file = ROOT / "iflow_cli_proxy" / "language" / "zh.toml"
    texts: dict[str, str] = tomllib.loads(file.read_text(encoding="utf-8"))["program"]
    return texts


if __name__ == "__main__":
    for text in lacking(every_text(), known_texts()):
        print(f"{line(text.template)}  # {text.where}")  # noqa: T201
