"""The tools of a Responses request as functions, and a function's name as the tool that it stands for.

Custom tools take free text: they become functions with one string parameter. Namespaces are lists of tools with a name
of their own: their tools become functions named after both. Hosted tools run at the vendor's, so nobody here can run
them: they are dropped with a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ToolSpec

INPUT: Final = "input"
"""The one parameter of a function that stands for a custom tool."""

_LONGEST_NAME: Final = 64
_DIGEST: Final = 8
_BETWEEN: Final = "__"
"""As Codex joins the two where they cannot be told apart otherwise (codex-rs/protocol/src/tool_name.rs)."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


class Tool(NamedTuple):
    """A tool in the client's own words."""

    name: str
    namespace: str = ""
    is_custom: bool = False


class Offer(NamedTuple):
    """A function, a custom tool or a hosted one, and where it stands."""

    path: str
    tool: Mapping[str, Json]
    namespace: str = ""
    about: str = ""
    """What is said of the whole namespace."""

    @property
    def is_hosted(self) -> bool:
        return self.tool.get("type") not in ("function", "custom")


def offers(values: Mapping[str, Json]) -> Iterator[Offer]:
    """Every tool of a request, those of namespaces and those that come with the input included."""
    yield from _offers(values.get("tools") or (), "tools")
    items = values.get("input")
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if item.get("type") == "additional_tools":
            yield from _offers(item.get("tools") or (), f"input[{at}].tools")


def _offers(tools: Json, path: str) -> Iterator[Offer]:
    for at, tool in enumerate(tools):
        if tool.get("type") != "namespace":
            yield Offer(f"{path}[{at}]", tool)
            continue
        for inner_at, inner in enumerate(tool.get("tools") or ()):
            about = tool.get("description") or ""
            yield Offer(f"{path}[{at}].tools[{inner_at}]", inner, tool.get("name") or "", about)


class ToolNames:
    """Both ways between the client's tools and the names of functions."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._tools: dict[str, Tool] = {}
        self._flat: dict[tuple[str, str], str] = {}
        self._inner: dict[str, list[str]] = {}
        """A name within a namespace to the functions that have it: models leave the namespace out at times."""
        found = [offer for offer in offers(values) if not offer.is_hosted]
        for offer in sorted(found, key=lambda offer: bool(offer.namespace)):
            self._add(offer)

    def _add(self, offer: Offer) -> None:
        tool = Tool(offer.tool.get("name") or "", offer.namespace, offer.tool.get("type") == "custom")
        flat = _joined(tool.namespace, tool.name)
        if tool.namespace and flat in self._tools:
            flat = _shortened(flat, f"{tool.namespace}.{tool.name}", always=True)
        self._tools[flat] = tool
        self._flat[tool.namespace, tool.name] = flat
        if tool.namespace:
            self._inner.setdefault(tool.name, []).append(flat)

    def flat(self, name: str, namespace: str = "") -> str:
        """The name of the function for a tool, also for one that is offered no longer."""
        return self._flat.get((namespace, name)) or _joined(namespace, name)

    def function_of(self, name: str) -> str:
        """The function that is meant by a name without a namespace."""
        alike = () if name in self._tools else self._inner.get(name, ())
        return alike[0] if len(alike) == 1 else name

    def find(self, function: str) -> Tool:
        """The tool behind a function; a function of that very name when there is none."""
        return self._tools.get(self.function_of(function)) or Tool(function)


def decode_tools(values: Mapping[str, Json], names: ToolNames) -> tuple[tuple[ToolSpec, ...], tuple[Note, ...]]:
    specs, notes = [], []
    for offer in offers(values):
        if offer.is_hosted:
            word = str(offer.tool.get("type") or "")[:64]
            notes.append(
                Note(offer.path, f"the hosted tool {word} is not offered by this upstream, so it was left out")
            )
        else:
            specs.append(_spec(offer, names.flat(offer.tool.get("name") or "", offer.namespace)))
    return tuple(specs), tuple(notes)


def _spec(offer: Offer, name: str) -> ToolSpec:
    tool = offer.tool
    description = tool.get("description") or offer.about
    if tool.get("type") == "custom":
        return ToolSpec(name=name, description=_with_grammar(description, tool.get("format")), parameters=_FREE_TEXT)
    return ToolSpec(name=name, description=description, parameters=tool.get("parameters"), is_strict=tool.get("strict"))


_FREE_TEXT: Final = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": [INPUT],
    "additionalProperties": False,
}


def _with_grammar(description: str, form: Mapping[str, Json] | None) -> str:
    if not form or not form.get("definition"):
        return description
    rule = f"The text of `{INPUT}` must match this {form.get('syntax') or ''} grammar:\n{form['definition']}"
    return f"{description}\n\n{rule}" if description else rule


def wrapped(text: str) -> str:
    """A custom tool's input as the arguments of its function."""
    return jsonx.encode({INPUT: text}).decode()


def unwrapped(arguments: str) -> str:
    """The reverse; models that took no notice of the schema mean the text they wrote."""
    try:
        value = jsonx.decode(arguments)
    except JsonError:
        return arguments
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, str) else arguments


def _joined(namespace: str, name: str) -> str:
    if not namespace:
        return name
    flat = _NOT_IN_NAMES.sub("_", f"{namespace.rstrip('_')}{_BETWEEN}{name.lstrip('_')}")
    return _shortened(flat, f"{namespace}.{name}")


def _shortened(flat: str, source: str, *, always: bool = False) -> str:
    """At most 64 characters, which is what functions may have, and still one of its kind."""
    if len(flat) <= _LONGEST_NAME and not always:
        return flat
    return f"{flat[: _LONGEST_NAME - _DIGEST - 1]}_{sha256(source.encode('utf-8', 'replace')).hexdigest()[:_DIGEST]}"
