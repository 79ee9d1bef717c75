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
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import typer

from iflow_cli_proxy.cli.app import app
from iflow_cli_proxy.config.leaf import NamedSpec, TableSpec, spec_of
from iflow_cli_proxy.config.schema import Settings
from tests.support.house import Module, is_under, read_house

ROOT: Final = Path(__file__).parents[2]

UNSPOKEN: Final = {
    "demo": "what a simulated upstream answers",
    "language": "it is the translator",
    "core.grammar": "for tests and debugging",
    "core.compress": "an instruction for models",
    "core.sse": "a content type",
    "gateway.continuing": "instructions for models",
    "gateway.vision": "instructions for models",
    "gateway.trials.bodies": "questions for models",
    "server.connection": "HTTP itself: answered before anybody knows who asks",
    "server.head": "HTTP itself",
    "server.refusal": "HTTP itself",
    "signin.pages": "they are in both languages",
    "config.template": "a file and a page that are English",
    "telemetry.masking": "what stands in place of secrets, in files",
    "telemetry.metrics": "help of metrics, for programs",
    "telemetry.vitals": "help of metrics, for programs",
    "server.run": "names of tasks and words for logs",
    "server.descriptors": "words for logs",
    **dict.fromkeys(
        (
            "protocols.anthropic.errors",
            "protocols.gemini.errors",
            "protocols.ollama.errors",
            "protocols.openai_errors",
            "protocols.openai_responses.errors",
        ),
        "shapes of errors on the wire: programs match on them",
    ),
    "server.openapi": "a description for programs and programmers",
    "server.handlers.sign_in": "the standard's own words, for programs (RFC 8628)",
}
"""Rooms and modules whose texts no person reads, or only in English."""

OF_TYPER: Final = (
    "Usage:",
    "Arguments",
    "Options",
    "Commands",
    "Error",
    "Aborted.",
    "[default: {}]",
    "[env var: {}]",
    "[required]",
    "Try [blue]'{} {}'[/] for help.",
    "Show this message and exit.",
    "Missing command.",
    "Missing argument {}.",
    "Missing option {}.",
    "No such command {}.",
    "No such command {}. Did you mean {}?",
    "No such option: {}",
    "No such option: {} (Possible options: {})",
    "Option {} requires an argument.",
    "Option {} does not take a value.",
    "Got unexpected extra argument(s) ({})",
    "Invalid value: {}",
    "Invalid value for {}: {}",
    "Invalid value for {} (env var: {}): {}",
    "Value error, {} is not one of {}.",
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be greater than or equal to {}",
    "Input should be less than or equal to {}",
    "{} {} is a directory.",
    "{} {} does not exist.",
)
"""What Typer 0.29 says by itself around our commands; `tests/cli/test_spoken_help.py` lets it."""

OF_PLACES: Final = (
    "{} s",
    "{} min",
    "{} h",
    "{} d",
    "{}: {}",
    ": {}",
    "{}; {}",
    "{} or {}",
    "{} gone",
    "{} failure",
    "{} failures",
    "{} warning",
    "{} warnings",
    "{}, {}",
    "{}.",
    "{} tokens a month",
    "{} tokens a day",
    "{} usd a month",
    "{} usd a day",
    "{} (while attempting to bind on address {})",
    "text",
    "texts",
    "yes",
    "no",
    "none",
    "never",
    "all",
    "ok",
    "note",
    "warning",
    "failure",
    "gone",
    "disabled",
    "enabled",
    "deleted",
    "exported",
    "refreshed",
    "refused",
    "expired",
    "revoked",
    "needs login",
    "login needed",
    "not due",
    "nothing to refresh",
    "failed",
    "imported",
    "updated",
    "new",
    "skipped",
    "missing",
    "ours",
    "default",
    "config",
    "overrides",
    "environment",
    "flag",
    "files",
    "server",
    "accounts",
    "sign-ins",
    "clients",
    "upstreams",
    "program",
    "cooling",
    "needs_login",
    "queued",
    "waiting",
    "thinking",
    "streaming",
    "settings",
    "clock",
    "the gateway",
    "fallback",
    "wanted",
    "unknown",
    "always",
    "key",
    "code",
    "bearer",
    "image",
    "images",
    "tools",
    "answers",
    "fetched",
    "described",
    "read",
    "saved",
    "sign-in",
    "written",
    "locked",
    "looked at",
    "first byte",
    "idle",
    "content",
    "total",
    "day",
    "month",
    "account",
    "protocol",
    "provider",
    "errors",
    "prompt",
    "cached",
    "completion",
    "reasoning",
    "cost",
    "share",
    "trend",
    "requests",
    "expires",
    "checked",
    "usable",
    "kind",
    "where",
    "origin",
    "created",
    "budget",
    "auth type",
    "api key",
    "api key expires at",
    "access token",
    "access token expires at",
    "refresh token",
    "expires at",
    "can refresh",
    "base url",
    "user id",
    "created at",
    "updated at",
    "refreshed at",
    "last used at",
    "request count",
    "last error at",
    "rests until",
    "rests model",
    "imported from",
    "platform",
)
"""Words and marks that stand in places of other texts and have no text of their own."""

OF_SYSTEMS: Final = (
    "Permission denied",
    "No such file or directory",
    "No space left on device",
    "Is a directory",
    "Not a directory",
    "Connection refused",
    "Connection reset by peer",
    "Address already in use",
    "Cannot assign requested address",
    "Read-only file system",
    "Network is unreachable",
    "Operation not permitted",
    "File exists",
    "Name or service not known",
    "Temporary failure in name resolution",
)
"""What an operating system says when something fails; the rest of it stays English."""

_TECHNICAL: Final = re.compile(
    r"\b(?:SELECT|ORDER BY|localtime|INSERT|DELETE|CREATE|WHERE|CASE|PRAGMA|sum)\b"
    r"|\b(?:at|id) [<>]=? ?\?|\|\||<> ''|%[sd]|\\[bdsw]"
    r"|; charset=|^default-src |^\w+-[\w-]+: (?:\{\}|identity)$|^\w+, deflate$|^(?:bold|dim|italic)\b"
    r"|^(?:/|# [A-Z]|#0|\{\{ |\[\"|\"|value = |curl |export |-H |npm |Bearer |Basic )"
)
"""SQL, logs, patterns, headers, paths, lines of files and of a shell, styles."""
_FOR_MODELS: Final = re.compile(
    r"^(?:Describe this image|The image came with|Say hello|Answer (?:in|with) |What is the weather|Count from 1"
    r"|The radar|Which col|I look it up|And now\?|From the result|The text of `|The whole input of"
    r"|\(the picture|\[(?:\{\{\}\} left out|file|image|something|a file)|Object missing"
    r"|openid |UpstreamRequest|QwenCode/)"
)
"""What a probe or a step of the gateway says to a model or a server."""
_QUOTED: Final = re.compile(r"`[^`]*`|\{\}")
_PROSE: Final = re.compile(r"[A-Za-z]*[a-z]{2}")
_MOST_VARIANTS: Final = 32
_SILENT_CALLS: Final = re.compile(
    r"visit\.note$|(?:^|\.)(?:compile|execute|executemany|executescript|debug|info|warning|exception|log|AssertionError|TypeError"
    r"|RuntimeError|NotImplementedError|getLogger|cast|startswith|endswith|fromisoformat|strftime|TypeVar)$"
)
"""Patterns, SQL, logs, and errors that are our bugs."""
_SILENT_ARGUMENTS: Final = frozenset({"metavar", "envvar", "prefix"})
_HEADINGS: Final = re.compile(r"COLUMNS$|HEADINGS$")
_HEADED_CALLS: Final = frozenset({"print_table"})
_WORD_CALLS: Final = frozenset({"spoken"})
_NAMING_CALLS: Final = frozenset({"Column", "names"})


@dataclass(frozen=True)
class Text:
    """One text and the place it was found at."""

    template: str
    where: str


@cache
def every_text() -> list[Text]:
    """Of the whole package, the commands' help included; each text once."""
    found: dict[str, Text] = {}
    for one in read_house(ROOT):
        if not is_under(one.name, *UNSPOKEN):
            for text in texts_of(one):
                found.setdefault(text.template, text)
    for text in (*help_texts(typer.main.get_command(app)), *settings_texts(spec_of(Settings))):
        found.setdefault(text.template, text)
    for template in (*OF_TYPER, *OF_PLACES, *OF_SYSTEMS):
        found.setdefault(template, Text(template, "tests/support/texts.py"))
    return list(found.values())


def texts_of(one: Module) -> Iterator[Text]:
    """The texts of one module."""
    silent = set(_silent_nodes(one.tree))
    words = set(_word_nodes(one.tree)) if one.room == "cli" else set()
    todo: list[Any] = [one.tree]
    while todo:
        node = todo.pop()
        if id(node) in silent:
            continue
        if templates := _templates(node):
            for template in templates:
                if _is_prose(template) or (id(node) in words and _PROSE.search(template)):
                    yield Text(template.strip(), one.at(node.lineno))
            todo += _inner(node)
        else:
            todo += ast.iter_child_nodes(node)


def _is_prose(template: str) -> bool:
    bare = template.strip()
    return (
        " " in bare
        and bool(_PROSE.search(_QUOTED.sub("", bare)))
        and not (_TECHNICAL.search(bare) or _FOR_MODELS.search(bare))
    )


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in the places of a text and is no variant of it."""
    for place in ast.walk(node):
        if isinstance(place, ast.FormattedValue) and _branches(place.value) is None:
            yield place.value
        elif isinstance(place, ast.BinOp):
            yield from (side for side in (place.left, place.right) if _pieces(side) == ["{}"])


def _pieces(node: ast.expr) -> list[str]:
    return _templates(node) or _branches(node) or ["{}"]


def _templates(node: ast.AST) -> list[str]:
    """The template of a string, one for each choice among words of ours in it; nothing for what is no string."""
    match node:
        case ast.Constant(value=str(text)):
            return [text.replace("{", "{{").replace("}", "}}")]
        case ast.JoinedStr(values=values):
            variants = [_variants(part) for part in values]
            return ["".join(chosen) for chosen, _ in zip(product(*variants), range(_MOST_VARIANTS), strict=False)]
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            halves = (_pieces(left), _pieces(right))
            return [] if halves == (["{}"], ["{}"]) else ["".join(chosen) for chosen in product(*halves)]
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
    said = [_pieces(each) for each in chosen]
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
                    yield from (each for arg in args for each in _own(arg))
                if name in _NAMING_CALLS:
                    named = [*args[:1], *(key.value for key in keywords if key.arg == "name")]
                    yield from (each for arg in named for each in _own(arg))
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


def settings_texts(table: TableSpec) -> Iterator[Text]:
    """What the tables of the settings are about; their leaves are found where they are written."""
    if table.help:
        yield Text(_doubled(table.help), "iflow_cli_proxy/config/schema.py")
    for member in table.members.values():
        if isinstance(member, TableSpec | NamedSpec):
            yield from settings_texts(member.item if isinstance(member, NamedSpec) else member)


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
