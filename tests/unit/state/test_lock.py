"""RELIABILITY R11, I59."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.lock import FileLock

HOLDER = """
import sys, pathlib
from iflow_cli_proxy.state.lock import FileLock
with FileLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_lock_keeps_out_another_thread_of_the_same_process(tmp_path: Path) -> None:
    refused: list[str] = []

    def try_once() -> None:
        try:
            with FileLock(tmp_path / "file", wait_s=0):
                pass
        except StateError as error:
            refused.append(error.message)

    with FileLock(tmp_path / "file"):
        thread = threading.Thread(target=try_once)
        thread.start()
        thread.join()

    assert len(refused) == 1


def test_i59_a_lock_held_by_another_process_is_waited_for_within_bounds_and_ends_with_that_process(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "file", Clock()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        with (
            pytest.raises(StateError, match="for 30 s") as caught,
            FileLock(path, clock=clock, sleep=clock.sleep),
        ):
            pass

        assert 30 <= clock.now < 31
        assert str(tmp_path) not in caught.value.message
    finally:
        holder.kill()
        holder.communicate()
    with FileLock(path, wait_s=5):
        pass


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), FileLock(tmp_path / "file"):
        raise ZeroDivisionError
    with FileLock(tmp_path / "file", wait_s=0):
        pass


def test_the_lock_file_lies_beside_the_file_and_stays(tmp_path: Path) -> None:
    with FileLock(tmp_path / "a" / "file.json"):
        pass

    assert [each.name for each in (tmp_path / "a").iterdir()] == ["file.json.lock"]


def test_a_lock_file_that_cannot_be_made_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "file.lock").symlink_to(tmp_path / "x")

    for path in (tmp_path / "x" / "file", tmp_path / "file"):
        with pytest.raises(StateError, match="could not be made"), FileLock(path):
            pass
