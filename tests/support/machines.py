"""A machine to examine: an empty home under a temporary folder, and a network that is made up name by name."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.reach import Resolve
from iflow_cli_proxy.state.atomic import make_private_folder
from iflow_cli_proxy.state.paths import find_paths
from tests.support.fake_clock import FakeClock

NOW = 1_795_000_000.0
"""November 2026: both vendors have ended."""


def machine(home: Path, environ: Mapping[str, str] | None = None, **changes: Any) -> Machine:
    """One where everything of ours is below `home/gateway`; `changes` replace its parts."""
    home.mkdir(exist_ok=True)
    variables = {"IFLOW2API_HOME": str(home / "gateway"), **(environ or {})}
    given: dict[str, Any] = {
        "environ": variables,
        "paths": find_paths(variables),
        "home": home,
        "clock": FakeClock(NOW),
        "platform": "linux",
        "is_installed": lambda name: True,
        "free_bytes": lambda folder: 1 << 40,
        "resolve": names({}),
    }
    return Machine(**given | changes)


def names(known: Mapping[str, tuple[str, ...]]) -> Resolve:
    """A resolver that knows only these."""

    async def resolve(host: str, port: int) -> tuple[str, ...]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[host]

    return resolve


def write(path: Path, content: object, *, mode: int = 0o600) -> Path:
    """A file with text, or JSON of anything else, and the folders above it."""
    make_private_folder(path.parent)
    path.write_bytes(content.encode() if isinstance(content, str) else jsonx.encode(content))
    path.chmod(mode)
    return path
