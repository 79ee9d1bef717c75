"""Kills a writer before each of its system calls and looks at what is left: `crash_writer.py FOLDER ROUNDS`.

A process of its own, without threads, so that forking is safe. Prints one line of JSON: the number of crashes, and
every state that should not be.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iflow_cli_proxy.state.atomic import write_private

OLD, NEW = b"old" * 3000, b"new" * 5000
STEPS = ("open", "fchmod", "write", "fsync", "close", "replace")


def die_before(call: int) -> None:
    """Make the `call`-th of the watched calls of this process its last moment."""
    seen = 0

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return step

    for name in STEPS:
        setattr(os, name, watched(getattr(os, name)))


def crash_once(path: Path, call: int) -> bool:
    """Fork a writer that dies before its `call`-th step; false when it had no such step and finished."""
    child = os.fork()
    if child == 0:
        die_before(call)
        write_private(path, NEW)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def wrong_states(path: Path) -> list[str]:
    found = []
    if path.read_bytes() not in (OLD, NEW):
        found.append("a mix")
    for each in path.parent.iterdir():
        if stat.S_IMODE(each.stat().st_mode) & 0o077:
            found.append(f"{each.name} is open to others")
    return found


def crash_everywhere(path: Path, wrong: list[str], ends: set[str]) -> int:
    """One round over every step; the answer is how many there are."""
    call = 1
    while True:
        write_private(path, OLD)
        crashed = crash_once(path, call)
        wrong += wrong_states(path)
        ends.add(path.read_bytes()[:3].decode())
        if not crashed:
            return call - 1
        call += 1


def main(folder: Path, rounds: int) -> None:
    os.umask(0)
    wrong: list[str] = []
    ends: set[str] = set()
    steps = [crash_everywhere(folder / "account.json", wrong, ends) for _ in range(rounds)]
    sys.stdout.write(json.dumps({"crashes": sum(steps), "steps": max(steps), "wrong": wrong, "ends": sorted(ends)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
