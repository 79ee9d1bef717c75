"""`iflow2api serve` as a process of its own, started the way a person starts it, on a free port of loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx

THIS_PYTHON: Final = (sys.executable, "-m", "iflow_cli_proxy")
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True)
class Running:
    """A gateway that accepts connections; `log` is everything it has said."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def surroundings(home: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without anything of ours or the vendor's in it, and with another home."""
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith("IFLOW")}
    return {
        **kept,
        "HOME": str(home),
        "IFLOW2API_HOME": str(home),
        "NO_COLOR": "1",
        "IFLOW2API_DEMO_DELAY_MS": "0",
        **(env or {}),
    }


@contextmanager
def serving(
    *flags: str, home: Path, env: Mapping[str, str] | None = None, command: Sequence[str] = THIS_PYTHON
) -> Iterator[Running]:
    """Run `serve FLAGS --port 0` in `home` until the end of the block."""
    ready, log = home / "ready.json", home / "serve.log"
    ready.unlink(missing_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "serve", *flags, "--port", "0", "--ready-file", str(ready)],
            cwd=home,
            env=surroundings(home, env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(ready, process, log)
        yield Running(jsonx.decode(ready.read_bytes())["urls"][0], process, log)
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_for(ready: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + _PATIENCE_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > ends_at:
            raise AssertionError(f"serve did not come up:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
