"""SIGHUP has two meanings: somebody asks for a reload, or the terminal is gone."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.serving import THIS_PYTHON, surroundings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
PATIENCE_S = 15.0


@contextmanager
def in_a_terminal(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """`serve` with a terminal of its own; yields the process, our end of the terminal and the URL."""
    ours, theirs = pty.openpty()
    ready = home / "ready.json"
    process = subprocess.Popen(
        [*THIS_PYTHON, "serve", "--demo", "--port", "0", "--ready-file", str(ready)],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=surroundings(home),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        ends_at = time.monotonic() + PATIENCE_S
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        yield process, ours, jsonx.decode(ready.read_bytes())["urls"][0]
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def test_a_hangup_with_the_terminal_still_there_reloads_and_serves_on(tmp_path: Path) -> None:
    with in_a_terminal(tmp_path) as (process, ours, url):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            assert answer.status == 200
        assert process.poll() is None
        os.close(ours)


def test_a_hangup_because_the_terminal_is_gone_drains_and_leaves(tmp_path: Path) -> None:
    with in_a_terminal(tmp_path) as (process, ours, _):
        os.close(ours)
        process.send_signal(signal.SIGHUP)  # as the system does for a terminal that controls the process
        assert process.wait(PATIENCE_S) == 0
