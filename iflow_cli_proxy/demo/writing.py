"""The demo does a coding agent's work when it is told to: `iflow2api-demo: write FILE with TEXT`.

Finds the tool that writes files among those a client offers, by its name and the names of its arguments; a shell stands
in for one. Knows what clients of today call them (2026-11). Refuses to know when it is asked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo.question import Tool
from iflow_cli_proxy.demo.schema import example

_ORDER: Final = re.compile(
    r"(?P<quote>[\"'`]?)iflow2api-demo:\s*write\s+(?P<file>\S+)\s+with\s+(?P<text>[^\r\n]+)", re.IGNORECASE
)
_WRITERS: Final = ("write", "writefile", "createfile", "writetofile", "fswrite")
_SHELLS: Final = ("execcommand", "shell", "shellcommand", "bash", "runshellcommand", "runcommand", "localshell")
_PATHS: Final = ("file_path", "filePath", "absolute_path", "path", "filename", "file")
_CONTENTS: Final = ("content", "contents", "text", "file_text", "data")
_COMMANDS: Final = ("cmd", "command", "script")


def write_call(prompt: str, tools: Sequence[Tool]) -> tuple[Tool, dict[str, Json]] | None:
    """The call that does what the prompt orders; None when it orders nothing, or nothing offered can do it."""
    orders = list(_ORDER.finditer(prompt))
    if not orders:
        return None
    file, quote = orders[-1]["file"], orders[-1]["quote"]
    text = orders[-1]["text"].strip().removesuffix(quote)  # some agents put the whole prompt between quotes
    for tool in _called(tools, _WRITERS):
        path, content = _first(tool, _PATHS), _first(tool, _CONTENTS)
        if path and content:
            return tool, {**_others(tool), path: file, content: text}
    command = f"printf %s {shlex.quote(text)} > {shlex.quote(file)}"
    for tool in _called(tools, _SHELLS):
        if name := _first(tool, _COMMANDS):
            is_list = _properties(tool)[name].get("type") == "array"
            return tool, {**_others(tool), name: ["bash", "-c", command] if is_list else command}
    return None


def _called(tools: Sequence[Tool], names: Sequence[str]) -> Iterable[Tool]:
    """Tools of these names, spelled however."""
    by_name = {tool.name.replace("_", "").replace("-", "").lower(): tool for tool in reversed(tools)}
    return [by_name[name] for name in names if name in by_name]


def _first(tool: Tool, names: Iterable[str]) -> str:
    properties = _properties(tool)
    return next((name for name in names if name in properties), "")


def _others(tool: Tool) -> dict[str, Json]:
    """What the tool insists on besides."""
    required = tool.schema.get("required") if isinstance(tool.schema, dict) else None
    properties = _properties(tool)
    names = [name for name in required if name in properties] if isinstance(required, list) else []
    return {name: example(properties[name], name=name) for name in names}


def _properties(tool: Tool) -> dict[str, dict[str, Json]]:
    found = tool.schema.get("properties") if isinstance(tool.schema, dict) else None
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}
