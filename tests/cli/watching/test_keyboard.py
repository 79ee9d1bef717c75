"""Keys one by one, and a terminal that is left as it was."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from iflow_cli_proxy.cli.watching.keyboard import Keyboard


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The side a person types at; standard input is the other one."""
    side, other = pty.openpty()
    with os.fdopen(other, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield side
    os.close(side)


def modes(side: int) -> int:
    flags: int = termios.tcgetattr(side)[3]
    return flags & (termios.ECHO | termios.ICANON | termios.ISIG)


def test_a_key_needs_no_enter_and_is_not_shown(terminal: int) -> None:
    with Keyboard() as keyboard:
        assert keyboard.is_there
        assert modes(terminal) == termios.ISIG, "Ctrl-C still interrupts"
        os.write(terminal, b"q")
        assert keyboard.wait(10) == "q"
        assert keyboard.wait(0) == ""


def test_the_terminal_is_as_it_was_whatever_happens(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with pytest.raises(KeyboardInterrupt), Keyboard():
        raise KeyboardInterrupt
    assert termios.tcgetattr(terminal) == before


def test_it_can_be_given_back_and_taken_again(terminal: int) -> None:
    before = modes(terminal)
    with Keyboard() as keyboard:
        keyboard.give_back()
        assert modes(terminal) == before
        keyboard.take()
        os.write(terminal, b"x")
        assert keyboard.wait(10) == "x"
    keyboard.give_back()
    assert modes(terminal) == before


def test_without_a_terminal_there_are_no_keys_and_waiting_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("qqq"))
    with Keyboard() as keyboard:
        assert not keyboard.is_there
        began_at = time.monotonic()
        assert keyboard.wait(0.02) == ""
        assert time.monotonic() - began_at >= 0.02
