"""One process at a time in a file's read-decide-write (RELIABILITY R11, I59).

Knows the operating system's file locks, which end with the process that holds them. Refuses to delete lock files, since
two processes could then hold "the" lock on different ones.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.atomic import make_private_folder

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1


class FileLock:
    """`with FileLock(path):` holds `<path>.lock` against other processes and threads, waiting at most `wait_s`.

    Blocks its thread: from a coroutine use it inside `asyncio.to_thread`. Not re-entrant.

    Raises:
        StateError: on entry, when it stays taken or the lock file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._wait_s = wait_s
        self._clock = clock
        self._sleep = sleep
        self._descriptor = -1

    def __enter__(self) -> None:
        self._descriptor = self._open()
        deadline = self._clock() + self._wait_s
        pause = _FIRST_PAUSE_S
        try:
            while not _try_lock(self._descriptor):
                if self._clock() >= deadline:
                    raise self._taken()
                self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _unlock(self._descriptor)
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            make_private_folder(self._path.parent)
            return os.open(self._path, flags, 0o600)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StateError(f"A lock file could not be made: {reason}.", detail=str(self._path)) from error

    def _taken(self) -> StateError:
        return StateError(
            f"Another iflow2api process has held a file for {self._wait_s:g} s.",
            detail=str(self._path),
            hint="look for a process that hangs, end it and try again",
        )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
