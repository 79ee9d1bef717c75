"""Somebody at a terminal, written down beforehand: what they answer, type beside a wait, and what they are shown."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from iflow_cli_proxy.cli.signing.screen import Emit, Screen
from iflow_cli_proxy.core.clock import Clock
from tests.support.fake_clock import FakeClock


class Person:
    """Answers the questions in order; `lines` are typed as soon as somebody listens."""

    def __init__(self, *answers: str, lines: tuple[str, ...] = (), can_ask: bool = True) -> None:
        self.can_ask = can_ask
        self.asked: list[tuple[str, bool]] = []
        self.is_overheard = False
        self._answers = list(answers)
        self._lines = lines

    def ask(self, question: str, *, is_secret: bool = False, default: str = "") -> str:
        self.asked.append((question, is_secret))
        return (self._answers.pop(0) if self._answers else "") or default

    @contextmanager
    def typed(self, on_line: Callable[[str], None]) -> Iterator[None]:
        self.is_overheard = True
        for line in self._lines:
            on_line(line)
        try:
            yield
        finally:
            self.is_overheard = False


class Paper:
    """A screen whose every character is kept. With a width it is a terminal, else a pipe."""

    def __init__(
        self,
        width: int = 0,
        *,
        height: int = 50,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        emit: Emit | None = None,
        colour: bool = True,
    ) -> None:
        self._file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        console = Console(
            file=self._file,
            force_terminal=bool(width),
            width=width or 80,
            height=height,
            highlight=False,
            color_system="truecolor" if colour and width else None,
            no_color=not colour,
            _environ={"TERM": "xterm"},
        )
        self.screen = Screen(console, clock or FakeClock(), environ=environ or {}, emit=emit)

    @property
    def text(self) -> str:
        held = self._file.buffer
        assert isinstance(held, io.BytesIO)
        return held.getvalue().decode()
