"""A real terminal (a pty) and a pipe: what is asked, overheard and left behind."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from iflow_cli_proxy.cli.signing.terminal import Terminal, ends_tidily, interruptible
from tests.support.patience import until

if sys.platform == "win32":
    pytest.skip("ptys and signals of POSIX", allow_module_level=True)

import pty
import termios

from tests.support.window import window as program

ROOT = Path(__file__).parents[2]


@contextmanager
def window() -> Iterator[tuple[int, Terminal]]:
    """The side of the person, and a terminal at the other one."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        yield ours, Terminal(stdin)
    os.close(ours)


def echoes(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def test_a_pipe_is_read_line_by_line_and_asked_nothing() -> None:
    pipe = Terminal(io.StringIO(" sk-1 \nnext\n"))
    assert not pipe.can_ask
    assert [pipe.ask("key", is_secret=True), pipe.ask("more"), pipe.ask("more")] == ["sk-1", "next", ""]


def test_a_closed_standard_input_is_an_empty_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert not Terminal().can_ask
    assert Terminal().ask("key", is_secret=True) == ""


async def test_nothing_is_overheard_on_a_pipe() -> None:
    with Terminal(io.StringIO("line\n")).typed(pytest.fail):
        await asyncio.sleep(0)


async def test_lines_typed_beside_a_wait_are_heard_and_not_shown() -> None:
    heard: list[str] = []
    with window() as (person, terminal):
        assert terminal.can_ask
        with terminal.typed(heard.append):
            assert not echoes(person)
            os.write(person, b"http://127.0.0.1/cb?code=secret-code\n")
            await until(lambda: len(heard) == 1)
            os.write(person, b"  \nsecond\n")
            await until(lambda: len(heard) == 2)
        assert echoes(person)
        os.set_blocking(person, False)
        assert b"secret-code" not in _read(person)
    assert heard == ["http://127.0.0.1/cb?code=secret-code", "second"]


async def test_the_terminal_is_as_before_however_the_wait_ended() -> None:
    with window() as (person, terminal):
        before = termios.tcgetattr(person)
        with suppress(KeyError), terminal.typed(pytest.fail):
            os.write(person, b"half a secret")
            raise KeyError
        assert termios.tcgetattr(person) == before


async def test_a_closed_window_ends_the_listening() -> None:
    heard: list[str] = []
    with window() as (person, terminal), terminal.typed(heard.append):
        os.write(person, b"\x04")
        await asyncio.sleep(0.02)
    assert heard == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_undoes_what_was_done_before_it_ends_the_program(number: signal.Signals) -> None:
    undone: list[str] = []

    async def wait() -> None:
        try:
            with ends_tidily():
                os.kill(os.getpid(), number)
                await asyncio.sleep(60)
        finally:
            undone.append("all")

    with pytest.raises(SystemExit) as leaving:
        await wait()
    assert leaving.value.code == 128 + number
    assert undone == ["all"]
    assert signal.getsignal(number) is signal.SIG_DFL


async def test_a_question_inside_is_left_at_once_and_the_signals_are_as_before() -> None:
    """The loop cannot hear of a signal while the question blocks it."""
    heard: list[int] = []

    async def wait() -> None:
        with ends_tidily():
            try:
                with interruptible():
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(5)
            except SystemExit as leaving:
                heard.append(int(leaving.code or 0))
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)

    with pytest.raises(SystemExit) as leaving:
        await wait()
    assert heard == [leaving.value.code] == [143]


async def test_being_cancelled_by_others_stays_that() -> None:
    async def wait() -> None:
        with ends_tidily():
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await wait()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except BlockingIOError:
        return b""


# --- a question blocks the loop, and Ctrl-C must count all the same -------------------------------------------------

ASKING = """
import asyncio
from iflow_cli_proxy.cli.signing.terminal import Terminal

async def main():
    Terminal().ask("API key", is_secret=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
async def test_a_question_can_be_left_and_typing_is_shown_again(number: signal.Signals, status: int) -> None:
    async with program("-c", ASKING, env={"PYTHONPATH": str(ROOT)}) as asking:
        await asking.see("API key")
        await until(lambda: not asking.is_clean)
        if number is signal.SIGINT:
            asking.type("\x03")
        else:
            asking.process.send_signal(number)
        assert await asking.end() == status
        assert asking.is_clean
