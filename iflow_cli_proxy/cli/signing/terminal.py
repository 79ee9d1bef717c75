"""The person's terminal while they sign in: questions, lines typed beside a wait, and leaving it as it was.

Knows terminals and signals. Refuses to know what is asked and why.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TextIO

from iflow_cli_proxy.cli import output

_LONGEST_LINE_BYTES: Final = 65_536
_SIGNALLED: Final = 128
"""A program ended by signal N leaves with this plus N, as shells have it."""


class Terminal:
    """Standard input, whatever it is."""

    def __init__(self, stdin: TextIO | None = None) -> None:
        self._stdin = stdin or sys.stdin or io.StringIO()  # there is none when it was closed

    @property
    def can_ask(self) -> bool:
        """Somebody sits there, and this program is the one they talk to."""
        if not self._stdin.isatty():
            return False
        if sys.platform == "win32":
            return True
        try:
            return os.tcgetpgrp(self._stdin.fileno()) == os.getpgrp()  # a job in the background is stopped for asking
        except OSError:
            return True  # a terminal that does not control us stops nobody

    def ask(self, question: str, *, is_secret: bool = False, default: str = "") -> str:
        """One answer; "" from a pipe that has ended. Ctrl-C and Ctrl-D at the question are an interrupt.

        With a `default` an empty line is an answer: that one.
        """
        if not self.can_ask:
            return self._stdin.readline().strip()
        with interruptible():
            return output.ask(question, is_secret=is_secret, default=default).strip()

    @contextmanager
    def typed(self, on_line: Callable[[str], None]) -> Iterator[None]:
        """Inside, each line that is typed goes to `on_line`, without being shown; where that cannot be, none does."""
        if sys.platform == "win32" or not self.can_ask:
            yield
            return
        import termios

        descriptor = self._stdin.fileno()
        loop = asyncio.get_running_loop()

        def read() -> None:
            data = os.read(descriptor, _LONGEST_LINE_BYTES)
            if not data:
                loop.remove_reader(descriptor)
            elif line := data.decode(errors="replace").strip():
                on_line(line)

        before = termios.tcgetattr(descriptor)
        hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(descriptor, termios.TCSADRAIN, hidden)
        loop.add_reader(descriptor, read)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            # What was pasted and not read must not become a command of the shell.
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


@contextmanager
def ends_tidily() -> Iterator[None]:
    """Inside, a signal that ends the program first undoes what was done to the terminal. For use in a task."""
    task = asyncio.current_task()
    if task is None or sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        caught.append(number)
        task.cancel()

    numbers = _ending_signals()
    for number in numbers:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if caught:
            raise SystemExit(_SIGNALLED + caught[0]) from None
        raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, signals count at once: those of asyncio wait for the loop, which a question blocks."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(_SIGNALLED + number)

    before = {number: signal.signal(number, end) for number in _ending_signals(is_ours=True)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending_signals(*, is_ours: bool = False) -> list[signal.Signals]:
    """Those that would end this program, with `is_ours` also where `ends_tidily` has taken them already.

    Whoever started it may have had some of them ignored.
    """
    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    others = (signal.SIG_IGN, None)
    return [
        number
        for number in known
        if (signal.getsignal(number) not in others if is_ours else signal.getsignal(number) is signal.SIG_DFL)
    ]
