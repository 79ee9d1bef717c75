"""Kills a writing ledger again and again and looks at what is left: `crash_ledger.py FOLDER ROUNDS SEED`.

A process of its own without threads, so that forking is safe; each child has its writer's thread and puts numbered
rows as fast as a busy gateway. Prints one line of JSON for each round.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import struct
import sys
import time
from pathlib import Path
from typing import Any

from iflow_cli_proxy.state.ledger import Ledger
from iflow_cli_proxy.state.ledger_row import Row

_NOTE = struct.Struct("=qqd")
"""How many rows were put and how many of them the ledger said it had written, and when (monotonic)."""


def put_for_ever(path: Path, notes: int, first: int) -> None:
    ledger = Ledger(path)
    ledger.start()
    for number in range(first, sys.maxsize):
        ledger.put(Row(request_id=f"req_{number}", at=float(number), model_asked="m" * 40))
        os.write(notes, _NOTE.pack(number + 1 - first, ledger.health.written, time.monotonic()))
        time.sleep(0.001)


def crash_once(path: Path, first: int, lives_s: float) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        put_for_ever(path, writing, first)
        os._exit(1)
    os.close(writing)
    heard = bytearray()
    deadline = time.monotonic() + lives_s
    while (now := time.monotonic()) < deadline:
        heard += os.read(reading, 65_536)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 65_536):
        heard += more
    os.close(reading)
    notes = list(_NOTE.iter_unpack(heard[: len(heard) // _NOTE.size * _NOTE.size]))
    return {
        "put": notes[-1][0],
        "written": notes[-1][1],
        "old_enough": max((put for put, _, at in notes if at <= now - 0.2), default=0),
        **look(path, first),
    }


def look(path: Path, first: int) -> dict[str, Any]:
    connection = sqlite3.connect(path)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        found = connection.execute("SELECT at FROM exchanges WHERE at >= ? ORDER BY id", (first,)).fetchall()
    finally:
        connection.close()
    kept = [int(at) for (at,) in found]
    return {"verdict": verdict, "kept": len(kept), "is_unbroken": kept == list(range(first, first + len(kept)))}


def main(folder: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(rounds):
        told = crash_once(folder / "usage.sqlite3", number * 1_000_000, chance.uniform(0.25, 0.45))
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
