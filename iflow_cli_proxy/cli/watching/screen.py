"""`top` on a screen: drawn again and again until somebody has seen enough, or once.

Knows windows, keys and signals. Refuses to know what the picture is of.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from iflow_cli_proxy.cli.columns import drawn, plain
from iflow_cli_proxy.cli.output import console, print_text
from iflow_cli_proxy.cli.signing.terminal import interruptible
from iflow_cli_proxy.cli.watching.asking import Gateway, News, Poller
from iflow_cli_proxy.cli.watching.frame import Block, Canvas, frame, lost
from iflow_cli_proxy.cli.watching.keyboard import Keyboard
from iflow_cli_proxy.cli.watching.shape import Snapshot

_LOOKS_EVERY_S: Final = 0.1
"""How soon a key, a new size or news are noticed."""
_PIPE_WIDTH: Final = 10_000
"""On a pipe nothing is left out."""
_LEAVING: Final = "qQ"


def can_watch() -> bool:
    """Whether there is a screen that can be drawn on again and again."""
    return sys.stdout.isatty() and not console().is_dumb_terminal


def print_once(snapshot: Snapshot, place: str) -> None:
    screen = console()
    if sys.stdout.isatty():
        screen.print(as_group(frame(snapshot, place, _canvas(screen, is_endless=True))))
        return
    for block in frame(snapshot, place, Canvas(width=_PIPE_WIDTH), has_pictures=False):
        print_text(block.plain if isinstance(block, Text) else plain(block))


def watch(gateway: Gateway, first: Snapshot, interval_s: float) -> None:
    """Until `q`; Ctrl-C is an interrupt. The window is afterwards as it was before."""
    with (
        interruptible(),
        Keyboard() as keyboard,
        Poller(gateway, first, interval_s) as poller,
        Live(console=console(), screen=True, auto_refresh=False) as live,
        _suspending() as suspended,
    ):
        shown: object = None
        while True:
            news = poller.news
            now = (news, live.console.size, int(time.monotonic()) if news.error else 0)
            if now != shown:
                shown = now
                live.update(_picture(news, gateway.place, live.console, keyboard), refresh=True)
            if any(key in _LEAVING for key in keyboard.wait(_LOOKS_EVERY_S)):
                return
            if suspended:
                suspended.clear()
                _sleep_in_the_background(live, keyboard)
                shown = None


def _picture(news: News, place: str, screen: Console, keyboard: Keyboard) -> Group:
    canvas = _canvas(screen)
    if news.error is not None:
        silent_s = time.monotonic() - news.failing_since
        return as_group(lost(place, news.error.message, silent_s, canvas.width))
    return as_group(frame(news.snapshot, place, canvas, remark="q leaves" if keyboard.is_there else "Ctrl-C leaves"))


def _canvas(screen: Console, *, is_endless: bool = False) -> Canvas:
    return Canvas(
        width=screen.width,
        height=None if is_endless else screen.height,
        is_plain=not screen.encoding.startswith("utf"),
    )


def as_group(blocks: Sequence[Block]) -> Group:
    return Group(*(_line(block) if isinstance(block, Text) else drawn(block, overflow="ellipsis") for block in blocks))


def _line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


@contextmanager
def _suspending() -> Iterator[list[int]]:
    """Inside, Ctrl-Z does not stop the program before it has put the window in order; it is noted in the list."""
    noted: list[int] = []
    if sys.platform == "win32" or signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    signal.signal(signal.SIGTSTP, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)


def _sleep_in_the_background(live: Live, keyboard: Keyboard) -> None:
    """Stop until the shell says go on."""
    if sys.platform == "win32":
        return
    live.stop()
    keyboard.give_back()
    os.kill(os.getpid(), signal.SIGSTOP)
    keyboard.take()
    live.start()
