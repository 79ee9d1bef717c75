"""A terminal window with one program in it: a pty that the program controls, and a person who reads and types."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 30.0
ROOT: Final = Path(__file__).parents[2]
_STYLES: Final = re.compile(r"\x1b\[[\d;]*m")


class Window:
    """What is on it so far, and the keys."""

    def __init__(self, side: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._side = side
        self._held = bytearray()
        self._news = asyncio.Event()
        os.set_blocking(side, False)
        asyncio.get_running_loop().add_reader(side, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._side, 65_536)
        except OSError:  # the program has gone, and with it the terminal
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._side)
        self._held += data
        self._news.set()

    @property
    def raw(self) -> str:
        return self._held.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything ever written, without styles."""
        return _STYLES.sub("", self.raw).replace("\r\n", "\n")

    async def see(self, pattern: str) -> re.Match[str]:
        """Wait until it is there."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (found := re.search(pattern, self.text)) is None:
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"{pattern!r} never came:\n{self.text}") from None

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def resize(self, width: int, height: int) -> None:
        _set_size(self._side, width, height)

    async def end(self) -> int:
        """Wait until the program has left."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    @property
    def is_clean(self) -> bool:
        """Typing is shown again, and the cursor with it."""
        shows_typing = bool(termios.tcgetattr(self._side)[3] & termios.ECHO)
        return shows_typing and self.raw.rfind("\x1b[?25h") >= self.raw.rfind("\x1b[?25l")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._side)


@asynccontextmanager
async def window(*args: str, env: Mapping[str, str], width: int = 80, height: int = 50) -> AsyncIterator[Window]:
    """Run `python ARGS` in a window; whatever still runs at the end is killed."""
    side, other = pty.openpty()
    _set_size(other, width, height)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *args,
            stdin=other,
            stdout=other,
            stderr=other,
            env={"TERM": "xterm-256color", "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env},
            start_new_session=True,
            preexec_fn=partial(fcntl.ioctl, other, termios.TIOCSCTTY, 0),
        )
        shown = Window(side, process)
        try:
            yield shown
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            shown.close()
    finally:
        os.close(other)
        os.close(side)


def _set_size(side: int, width: int, height: int) -> None:
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def login_window(home: Path, *args: str, width: int = 80, **env: str) -> AbstractAsyncContextManager[Window]:
    """`iflow2api login ARGS` of somebody who has nothing but this home folder."""
    around = {"IFLOW2API_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(ROOT), **env}
    return window("-m", "iflow_cli_proxy", "login", *args, env=around, width=width)
