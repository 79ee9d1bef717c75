"""The house read from outside: every module of the package as a syntax tree, and the rules it has to keep.

Knows STYLE's floor plan as tables. Refuses to import the package: a module that is broken or slow to import is read
all the same. A rule is a function from modules to violations, one line each, so it can be tried on made-up modules.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGE: Final = "iflow_cli_proxy"

ROWS: Final = (
    ("cli",),
    ("server", "doctor"),
    ("wiring",),
    ("gateway", "signin"),
    ("providers", "state", "telemetry", "agents"),
    ("protocols", "routing", "pool", "transport", "config"),
    ("core", "language"),
)
"""Imports run downhill: from a row to any later one, and never between neighbours."""

GATEWAY_SEES: Final = ("core", "pool", "routing", "protocols.base", "providers.base", "transport.base")
DEMO_SEES: Final = (
    "core",
    "routing.catalog",
    "providers.iflow.catalog",
    "providers.iflow.headers",
    "providers.iflow.signature",
)
DEMO_SEEN_BY: Final = ("cli.serving", "cli.demo")
CONCRETE: Final = ("providers", "transport")
"""Rooms of which the server may see only the interface, `base`."""
FAMILIES: Final = ("protocols", "providers")
"""Rooms whose folders stand side by side and do not know each other."""

PURE: Final = ("core", "protocols", "routing", "pool", "agents")
IMPURE_MODULES: Final = frozenset({"asyncio", "socket", "time", "random", "logging", "os"})
PURE_BUT: Final = {("core.clock", "time"): "the one place that reads the machine's clock"}

LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "aiohttp": ("server", "transport", "demo", "cli.chatting", "signin.loopback"),
    "multidict": ("server", "transport", "demo"),
    "yarl": ("server", "transport", "demo"),
    "aiohttp_socks": ("transport",),
    "cryptography": ("state.vault", "state.bundle", "state.sealing"),
    "curl_cffi": ("transport", "cli.version"),
    "keyring": ("state.vault", "state.sealing"),
    "msgspec": ("core", "protocols", "routing", "pool", "transport", "providers", "gateway", "state.connections"),
    "opentelemetry": ("telemetry.otlp",),
    "platformdirs": ("state",),
    "prometheus_client": ("telemetry",),
    "rich": ("cli",),
    "segno": ("cli", "server.admin.qr"),
    "tomli_w": ("state",),
    "typer": ("cli",),
    "uvloop": ("cli.serving",),
}
"""What is not ours, and the rooms it may enter; `multidict` and `yarl` are how aiohttp speaks of headers and URLs."""
JSON_LIBRARIES: Final = frozenset({"json", "msgspec.json", "orjson", "simplejson", "ujson", "rapidjson"})
JSON_DOOR: Final = "core.jsonx"

PROGRAM: Final = "iflow2api"
TYPED_COMMAND: Final = re.compile(rf"(?:^|[`,(] ?|\b(?:run|try|then|with|or) ){PROGRAM} ([a-z]+)\b")
"""In a sentence the program's name may be just a name; after these it is something to type."""
PROSE: Final = frozenset({"serves"})
CLI_ROOT: Final = "cli.app"
MODULE_LINES: Final = 500
WIRE_TABLES: Final = frozenset[str]()
"""Modules that are tables of wire facts and may be long."""
EMPTY_NAMES: Final = frozenset({"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"})

EDGES: Final = {
    "server.middleware.errors": "the last door before a client: our bug becomes `internal` and a request id",
    "server.handlers.generate": "a stream that is open already: our bug becomes its error event",
    "server.middleware.access_log": "an observer that fails leaves the request as it was",
    "telemetry.targets": "a log line that cannot be shown must not silence the others",
    "server.background": "the Supervisor: a task that dies is logged and started again",
    "cli.output": "the last door before a person",
    "server.flights": "a flight that cannot be told must not cost the ledger its rows",
    "doctor.run": "a look that fails is a finding, and the others still speak",
}
"""Where everything may be caught and kept."""


@dataclass(frozen=True)
class Import:
    """One imported name; `is_lazy` when it does not run as the module is imported."""

    target: str
    line: int
    is_lazy: bool


@dataclass(frozen=True, eq=False)
class Module:
    """One file; `name` leaves the package out, so `core.sse`, and is empty for the package itself."""

    name: str
    path: Path
    source: str
    tree: ast.Module = field(repr=False)

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


def read_house(root: Path) -> list[Module]:
    """Every module of the package in `root`."""
    files = sorted((root / PACKAGE).rglob("*.py"))
    return [module(str(file.relative_to(root)), file.read_text(encoding="utf-8")) for file in files]


def module(path: str, source: str) -> Module:
    """One module from its text; `path` begins with the package's folder."""
    parts = Path(path).with_suffix("").parts[1:]
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, Path(path), source, ast.parse(source, path))


def is_under(name: str, *places: str) -> bool:
    """Whether a dotted name is one of the places or inside one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


# --- imports ------------------------------------------------------------------------------------------------------


def imports_of(one: Module) -> list[Import]:
    """Every import of a module, with full names; `from a import b` counts as `a.b`."""
    lazy = _lazy_lines(one.tree)
    found: list[Import] = []
    for node in ast.walk(one.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(name, node.lineno, node.lineno in lazy) for name in names]
    return found


def _lazy_lines(tree: ast.Module) -> frozenset[int]:
    lazy: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.FunctionDef() | ast.AsyncFunctionDef():
                lazy |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            case _:
                pass
    return frozenset(lazy)


def _ours(house: Iterable[Module]) -> Iterator[tuple[Module, Import, Module]]:
    """Every import of one of our own modules, with the module it reaches."""
    house = list(house)
    named = {one.name: one for one in house}
    for one in house:
        for each in imports_of(one):
            if is_under(each.target, PACKAGE):
                target = each.target.removeprefix(PACKAGE).removeprefix(".")
                reached = named.get(target) or named.get(target.rpartition(".")[0])
                if reached is not None:
                    yield one, each, reached


def wrong_arrows(house: Iterable[Module]) -> Iterator[str]:
    """Imports that run uphill, to a neighbour, or past an interface."""
    for one, each, other in _ours(house):
        if why := _objection(one, other):
            yield f"{one.at(each.line)}: {one.name or PACKAGE} imports {other.name}: {why}"


def _objection(one: Module, other: Module) -> str:
    if not other.name:
        return ""  # the version
    if other.room == "demo":
        is_welcome = one.room == "demo" or is_under(one.name, *DEMO_SEEN_BY)
        return "" if is_welcome else f"the demo is an upstream of its own; only {', '.join(DEMO_SEEN_BY)} starts it"
    if one.room == other.room:
        return _family_objection(one, other)
    if one.room == "__main__":
        return "" if other.room == "cli" else "it only starts the command line"
    if one.room == "demo":
        return "" if is_under(other.name, *DEMO_SEES) else f"the demo sees only {', '.join(DEMO_SEES)}"
    return _row_objection(one.room, other.room) or _interface_objection(one.room, other.name)


def _family_objection(one: Module, other: Module) -> str:
    """A folder of a family is seen from inside it and from the registry above it, and from nowhere else."""
    is_inside = one.path.is_relative_to(other.path.parent)
    if one.room not in FAMILIES or is_inside or one.name == one.room:
        return ""
    return f"only {one.room}/__init__.py knows {other.path.parent.name} from outside"


def _row_objection(room: str, other: str) -> str:
    rows = {name: number for number, row in enumerate(ROWS) for name in row}
    if unknown := [name for name in (room, other) if name not in rows]:
        return f"{unknown[0]} stands on no row of the floor plan"
    if rows[room] == rows[other]:
        return "neighbours on one row do not know each other"
    return "" if rows[room] < rows[other] else "imports run downhill"


def _interface_objection(room: str, other: str) -> str:
    if room == "gateway" and not is_under(other, *GATEWAY_SEES):
        return f"the gateway sees only {', '.join(GATEWAY_SEES)}"
    if room == "server" and is_under(other, *CONCRETE) and not other.endswith(".base"):
        return "the server sees no concrete provider or transport"
    return ""


def relative_imports(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        for each in imports_of(one):
            if each.target.startswith("."):
                yield f"{one.at(each.line)}: say the whole name: from {PACKAGE}..., not from {each.target}"


def eager_commands(house: Iterable[Module]) -> Iterator[str]:
    """What the command line reads to show its help, if it is more than typer and the standard library."""
    house = list(house)
    for one in _read_for_help(house):
        for each in imports_of(one):
            is_light = each.target.partition(".")[0] in sys.stdlib_module_names | {"typer"} or is_under(
                each.target, f"{PACKAGE}.cli", f"{PACKAGE}.__version__"
            )
            if not each.is_lazy and not is_light:
                yield f"{one.at(each.line)}: {each.target} belongs inside the command's body"


def _read_for_help(house: list[Module]) -> list[Module]:
    """The root of the command line and every module of ours that it imports on the way, at whatever distance."""
    found = [one for one in house if one.name == CLI_ROOT]
    arrows = [(one.name, other) for one, each, other in _ours(house) if not each.is_lazy]
    for one in found:
        found += [other for name, other in arrows if name == one.name and other.room == "cli" and other not in found]
    return found


def strangers(house: Iterable[Module]) -> Iterator[str]:
    """Third-party libraries outside the rooms that were chosen for them."""
    for one in house:
        for each in imports_of(one):
            top = each.target.partition(".")[0]
            if top in sys.stdlib_module_names or top in ("", PACKAGE):
                continue
            if not is_under(one.name, *LIBRARIES.get(top, ())):
                rooms = ", ".join(LIBRARIES.get(top, ())) or "nowhere"
                yield f"{one.at(each.line)}: {one.name} imports {top}, which is at home in: {rooms}"


def impurities(house: Iterable[Module]) -> Iterator[str]:
    """Sockets, clocks, chance, logs and waiting in the rooms that must be plain functions of values."""
    for one in house:
        if one.room not in PURE:
            continue
        for each in imports_of(one):
            top = each.target.partition(".")[0]
            if top in IMPURE_MODULES and (one.name, top) not in PURE_BUT:
                yield f"{one.at(each.line)}: {one.room} is pure, so no {top}"
        for node in ast.walk(one.tree):
            if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith):
                yield f"{one.at(node.lineno)}: {one.room} is pure, so nothing waits here"


def json_back_doors(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        if one.name == JSON_DOOR:
            continue
        used = [(each.target, each.line) for each in imports_of(one)]
        attributes = [node for node in ast.walk(one.tree) if isinstance(node, ast.Attribute)]
        used += [(name, node.lineno) for node in attributes if (name := ast.unparse(node)) == "msgspec.json"]
        for name, line in used:
            if is_under(name, *JSON_LIBRARIES):
                yield f"{one.at(line)}: {name}: JSON goes through {JSON_DOOR}"


# --- shape --------------------------------------------------------------------------------------------------------


def empty_names(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        words = set(one.name.rpartition(".")[2].split("_"))
        if found := words & EMPTY_NAMES:
            yield f"{one.path}: `{found.pop()}` names no idea"


def long_files(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        lines = one.source.count("\n")
        if lines > MODULE_LINES and one.name not in WIRE_TABLES:
            yield f"{one.path}: {lines} lines; do two ideas share a room?"


def silent_files(house: Iterable[Module]) -> Iterator[str]:
    """Modules that do not open with what they know."""
    for one in house:
        if one.tree.body and not ast.get_docstring(one.tree):
            yield f"{one.path}: opens without saying what it knows and what it refuses to know"


def swallowed_errors(house: Iterable[Module]) -> Iterator[str]:
    """Handlers for everything that keep it, away from the edges. Tidying up and raising it again is fine."""
    for one in house:
        if one.name in EDGES:
            continue
        for node in ast.walk(one.tree):
            if isinstance(node, ast.ExceptHandler) and _is_for_everything(node) and not _raises_again(node):
                yield f"{one.at(node.lineno)}: everything is caught here and kept; only the edges do that"


def _is_for_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or ast.unparse(each) in ("Exception", "BaseException") for each in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def prints(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        for node in ast.walk(one.tree) if one.room != "cli" else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                yield f"{one.at(node.lineno)}: only the command line prints"


def blanket_ignores(house: Iterable[Module]) -> Iterator[str]:
    for one in house:
        for token in tokenize.generate_tokens(io.StringIO(one.source).readline):
            text = token.string.replace(" ", "")
            if token.type == tokenize.COMMENT and "type:ignore" in text and "type:ignore[" not in text:
                yield f"{one.at(token.start[0])}: name the error: type: ignore[code]"


def unknown_commands(house: Iterable[Module], commands: Collection[str]) -> Iterator[str]:
    """Commands that a message tells a person to type although there is no such command."""
    for one in house:
        for node in ast.walk(one.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for word in TYPED_COMMAND.findall(node.value):
                    if word not in commands and word not in PROSE:
                        yield f"{one.at(node.lineno)}: there is no command `{PROGRAM} {word}`"


# --- tests --------------------------------------------------------------------------------------------------------


def unpaired(house: Iterable[Module], tests: Path, exempt: Mapping[str, str]) -> Iterator[str]:
    """Modules without the test that bears their name, and exemptions that are no longer needed."""
    left = set(exempt)
    for one in house:
        if not _has_behaviour(one):
            continue
        paired = tests / _test_of(one)
        if one.name in exempt:
            left.discard(one.name)
            if paired.exists():
                yield f"{one.path}: has {paired.name} now; take it off the list of exemptions"
        elif not paired.exists():
            yield f"{one.path}: no {Path(tests.name) / _test_of(one)}"
    yield from (f"the exemption for {name} is for no module of today" for name in sorted(left))


def _has_behaviour(one: Module) -> bool:
    """A package whose file is only a docstring or the version has nothing to test."""
    return not one.is_package or any(not isinstance(node, ast.Expr | ast.Assign) for node in one.tree.body)


def _test_of(one: Module) -> Path:
    folders = list(one.path.parts[1:-1])
    name = "init" if one.is_package else one.path.stem
    if folders[:1] == ["cli"]:
        return Path(*folders, f"test_{name}.py")
    return Path("unit", *folders, f"test_{name}.py")


def orphans(house: Iterable[Module], tests: Path) -> Iterator[str]:
    """Tests under `unit` whose module is gone or has another name."""
    wanted = {tests / _test_of(one) for one in house}
    for file in sorted((tests / "unit").rglob("test_*.py")):
        if file not in wanted:
            yield f"{file.relative_to(tests.parent)}: no module bears this name"
