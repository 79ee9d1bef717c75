"""The command line as a process whose input is a terminal, with everything typed beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class AtTerminal:
    code: int
    out: str
    err: str


def run_at_terminal(*args: str, typed: str, env: Mapping[str, str]) -> AtTerminal:
    """Run `iflow2api ARGS` and type; standard output and error are pipes."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        done = subprocess.run(
            [sys.executable, "-m", "iflow_cli_proxy", *args],
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=30,
            env={**{n: t for n, t in os.environ.items() if not n.startswith("IFLOW2API_")}, "NO_COLOR": "1", **env},
        )
    finally:
        os.close(terminal)
        os.close(keyboard)
    return AtTerminal(done.returncode, done.stdout, done.stderr)
