"""Single keys while something is shown; the terminal is left as it was found.

Without a terminal to type at, or in the background, there are no keys, and waiting is only waiting.
"""

from __future__ import annotations

import os
import select
import sys
import time
from types import TracebackType
from typing import Any, Final

from iflow_cli_proxy.cli.signing.terminal import Terminal

_STEP_S: Final = 0.02


class Keyboard:
    """Inside the block keys are not shown and need no Enter; Ctrl-C and Ctrl-Z mean what they always do."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._before: list[Any] = []

    def __enter__(self) -> Keyboard:
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.give_back()

    @property
    def is_there(self) -> bool:
        """Somebody can type."""
        return self._descriptor is not None or sys.platform == "win32"

    def take(self) -> None:
        if sys.platform == "win32" or not Terminal().can_ask:
            return
        import termios
        import tty

        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)

    def give_back(self) -> None:
        if sys.platform == "win32" or self._descriptor is None:
            return
        import termios

        descriptor, self._descriptor = self._descriptor, None
        # Keys that were pressed and not read must not become a command of the shell.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, self._before)

    def wait(self, limit_s: float) -> str:
        """The key that is pressed within that time; "" for none."""
        if sys.platform == "win32":
            return _wait_on_windows(limit_s)
        if self._descriptor is None:
            time.sleep(limit_s)
            return ""
        ready, _, _ = select.select([self._descriptor], [], [], limit_s)
        if not ready:
            return ""
        pressed = os.read(self._descriptor, 64)
        if not pressed:
            self.give_back()  # nobody will type here any more
        return pressed.decode(errors="replace")


def _wait_on_windows(limit_s: float) -> str:
    if sys.platform != "win32":
        raise NotImplementedError
    import msvcrt

    ends_at = time.monotonic() + limit_s
    while time.monotonic() < ends_at:
        if msvcrt.kbhit():
            return msvcrt.getwch()
        time.sleep(_STEP_S)
    return ""
