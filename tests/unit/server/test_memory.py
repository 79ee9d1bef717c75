"""Settling changes the collector for good, so each look at it has a process of its own."""

from __future__ import annotations

import subprocess
import sys


def _after_settling(expression: str) -> str:
    code = f"import gc; from iflow_cli_proxy.server.memory import settle_memory; settle_memory(); print({expression})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20).stdout


def test_what_lives_for_ever_is_no_longer_looked_at() -> None:
    assert int(_after_settling("gc.get_freeze_count()")) > 1000


def test_the_collector_still_works_only_less_often() -> None:
    assert _after_settling("gc.isenabled(), gc.get_threshold()[0] >= 10_000").strip() == "True True"


def test_large_blocks_still_go_back_to_the_system() -> None:
    grown = (
        "(lambda resident: [block := bytearray(b'x') * 100_000_000, before := resident(), "
        "block.clear(), before - resident()][-1] > 60_000_000)"
        "(lambda: int(open('/proc/self/statm').read().split()[1]) * 4096)"
    )
    if sys.platform == "linux":
        assert _after_settling(grown).strip() == "True"
