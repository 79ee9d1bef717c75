"""Where the coding agents of this machine are pointed: at this gateway, at nothing, or elsewhere.

Knows the variables and files in which they keep an address; reads those and nothing beside them, so no key is ever
seen. Refuses to change them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from iflow_cli_proxy.config.safety import is_loopback
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.port import Gateway
from iflow_cli_proxy.doctor.reach import Connect, listens
from iflow_cli_proxy.doctor.wording import shown

VARIABLES: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL")

_finding = partial(Finding, group=Group.CLIENTS)


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """An address that some client calls."""

    where: str
    """The variable, or the file and the name in it."""
    url: str


async def examine(machine: Machine, gateway: Gateway) -> list[Finding]:
    return [await judge(pointer, gateway, machine.connect) for pointer in pointers(machine)]


# --- finding them ---------------------------------------------------------------------------------------------------


def pointers(machine: Machine) -> Iterator[Pointer]:
    yield from _named("", machine.environ)
    home = machine.home
    claude = home / ".claude" / "settings.json"
    yield from _named(f"{shown(claude, home)}: env.", _table(_json(machine, claude), "env"))
    yield from _codex(machine)
    qwen = home / ".qwen" / "settings.json"
    tree = _json(machine, qwen)
    yield from _named(f"{shown(qwen, home)}: env.", _table(tree, "env"))
    auth = _table(_table(tree, "security"), "auth")
    yield from _told(f"{shown(qwen, home)}: security.auth.baseUrl", auth.get("baseUrl"))
    dotenv = home / ".qwen" / ".env"
    yield from _named(f"{shown(dotenv, home)}: ", dict(_assignments(_text(machine, dotenv))))


def _codex(machine: Machine) -> Iterator[Pointer]:
    folder = Path(machine.environ.get("CODEX_HOME", "").strip() or machine.home / ".codex")
    path = folder / "config.toml"
    try:
        tree = tomllib.loads(_text(machine, path))
    except (ValueError, RecursionError):
        return  # Codex itself complains about it
    for name, table in _table(tree, "model_providers").items():
        url = table.get("base_url") if isinstance(table, Mapping) else None
        yield from _told(f"{shown(path, machine.home)}: model_providers.{name}.base_url", url)


def _named(before: str, values: Mapping[str, Any]) -> Iterator[Pointer]:
    for name in VARIABLES:
        yield from _told(f"{before}{name}", values.get(name))


def _told(where: str, url: Any) -> Iterator[Pointer]:
    if isinstance(url, str) and url.strip():
        yield Pointer(where=where, url=url.strip())


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = tree.get(name)
    return value if isinstance(value, Mapping) else {}


def _json(machine: Machine, path: Path) -> Mapping[str, Any]:
    try:
        tree = jsonx.decode(_text(machine, path) or "{}")
    except JsonError:
        return {}  # its own program complains about it
    return tree if isinstance(tree, dict) else {}


def _text(machine: Machine, path: Path) -> str:
    """Empty when it cannot be read: its own program will say so."""
    try:
        file = machine.read(path)
    except OSError:
        return ""
    return file.data.decode("utf-8", "replace") if file is not None else ""


def _assignments(text: str) -> Iterable[tuple[str, str]]:
    """`NAME=value` lines as dotenv has them."""
    for line in text.splitlines():
        name, mark, value = line.strip().removeprefix("export ").partition("=")
        if mark and not name.startswith("#"):
            yield name.strip(), value.strip().strip("\"'")


# --- judging them ---------------------------------------------------------------------------------------------------


async def judge(pointer: Pointer, gateway: Gateway, connect: Connect) -> Finding:
    finding = partial(_finding, subject=pointer.where)
    try:
        parts = urlsplit(pointer.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        return finding(status=Status.WARNING, text="is no http address", action=f"set it to {gateway.url}/v1")
    ours = urlsplit(gateway.url)
    is_here = is_loopback(host) or host == ours.hostname
    if is_here and port == ours.port:
        if gateway.version is not None:
            return finding(status=Status.OK, text="points at this gateway")
        text = "points at this gateway, which does not run"
        return finding(status=Status.WARNING, text=text, action="iflow2api serve")
    if not is_here:
        return finding(status=Status.NOTE, text=f"points elsewhere, at {host}")
    if await listens(connect, host, port):
        return finding(status=Status.NOTE, text=f"points at another program, on port {port}")
    text = f"points at port {port} of this machine, where nothing listens"
    return finding(status=Status.WARNING, text=text, action=f"set it to {gateway.url}{parts.path.rstrip('/')}")
