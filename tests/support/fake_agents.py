"""Coding agents as small scripts on a PATH of their own: they note what they were given, and leave as they are told."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iflow_cli_proxy.core import jsonx

_SCRIPT = """#!{python}
import json, os, pathlib, signal, sys, time
told = {{}}
for name, value in os.environ.items():
    if value.endswith("settings.json") and os.path.exists(value):
        told[name] = pathlib.Path(value).read_text()
home = os.environ.get("GEMINI_CLI_HOME")
names = sorted(os.listdir(os.path.join(home, ".gemini"))) if home else []
for number, word in enumerate(sys.argv):
    if word == "--settings":
        told["--settings"] = pathlib.Path(sys.argv[number + 1]).read_text()
seen = {{"argv": sys.argv[1:], "env": dict(os.environ), "files": told, "names": names}}
pathlib.Path({note!r}).write_text(json.dumps(seen))
if "--wait" in sys.argv:
    heard = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: heard.append(str(number)))
    pathlib.Path({note!r} + ".ready").touch()
    for _ in range(600):
        time.sleep(0.05)
        if heard:
            time.sleep(0.2)
            pathlib.Path({note!r} + ".signal").write_text(" ".join(heard))
            sys.exit(7)
if "--die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(os.environ.get("FAKE_EXIT", "0")))
"""


@dataclass(frozen=True)
class FakeAgent:
    """One program; `note` is what it saw."""

    folder: Path
    note: Path

    @property
    def seen(self) -> Any:
        return jsonx.decode(self.note.read_bytes())


def install(folder: Path, program: str) -> FakeAgent:
    """Put a program of this name into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{program}.note"
    path = folder / program
    path.write_text(_SCRIPT.format(python=sys.executable, note=str(note)))
    path.chmod(0o755)
    return FakeAgent(folder, note)
