"""What commands print: data on stdout, conversation on stderr, and the exit code that follows from an error.

Knows tables, JSON and how an error is told to a person. Refuses to know any command.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import typer

from iflow_cli_proxy.cli.folding import cells, folded, padded
from iflow_cli_proxy.cli.speech import lend_lines, spoken

if TYPE_CHECKING:
    from rich.console import Console

    from iflow_cli_proxy.core.errors import GatewayError

_GAP: Final = "  "
_STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line ends only Unicode knows, and what turns the direction of writing."""
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class ExitCode(IntEnum):
    """What scripts can rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTLY_FAILED = 3
    LOGIN_NEEDED = 4
    INTERRUPTED = 130


def print_text(text: str) -> None:
    """One answer, as it is: for `$(...)` and files."""
    typer.echo(text)


def print_json(value: Any) -> None:
    """The answer of a `--json` call, on one line."""
    from iflow_cli_proxy.core import jsonx

    typer.echo(jsonx.encode(value))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, spare: int = 0, words: Collection[str] = ()
) -> None:
    """Rows under headings; on a pipe without styles and cuts. Headings are spoken, and so are the columns of `words`.

    On a screen that is too narrow, as many as `spare` columns at the end are left out before anything is folded.
    """
    are_words = [column in words for column in columns]
    clean = [
        [printable(spoken(cell) if is_word else cell) for cell, is_word in zip(row, are_words, strict=True)]
        for row in rows
    ]
    columns = [spoken(column) for column in columns]
    if not sys.stdout.isatty():
        typer.echo(_aligned([columns, *clean]))
        return
    from rich.table import Table
    from rich.text import Text

    screen = console()
    widths = _widths([columns, *clean])
    for _ in range(spare):
        if sum(widths) + len(_GAP) * (len(widths) - 1) > screen.width:
            widths.pop()
    table = Table(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style="bold")
    for column in columns[: len(widths)]:
        table.add_column(column, overflow="fold")
    for row in clean:
        table.add_row(*map(Text, row[: len(widths)]))
    screen.print(table)


def console(*, stderr: bool = False) -> Console:
    """A rich console on the stream of this moment, without highlighting of its own."""
    from rich.console import Console

    lend_lines()
    return Console(stderr=stderr, highlight=False)


def say(text: str, style: str = "", *, is_to_copy: bool = False) -> None:
    """A remark to the person, on stderr so that it never mixes with data.

    On a screen lines end between words and never inside a quoted command; what `is_to_copy` is one line, however long.
    """
    from rich.text import Text

    screen = console(stderr=True)
    clean = printable(spoken(text))
    if screen.is_terminal and not is_to_copy:
        clean = folded(clean, screen.width)
    screen.print(Text(clean, style=style), soft_wrap=True)


def ask(question: str, *, is_secret: bool = False, default: str = "") -> str:
    """Ask the person at the terminal; a secret is not shown while typed. Leaving the question is an interrupt.

    Enter alone is the `default`, if there is one.

    A secret from a pipe is one line of it, taken without a word.
    """
    if is_secret and not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    try:
        return str(typer.prompt(spoken(question), default or None, hide_input=is_secret, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def report(error: GatewayError) -> ExitCode:
    """Tell what happened and what to type next; the answer is the exit code to leave with."""
    say(f"Error: {error.message}", "red")
    if error.detail:
        say(f"  {error.detail}", "dim")
    if hint := hint_of(error):
        say(f"Hint: {hint}", "cyan")
    return exit_code_of(error)


def hint_of(error: GatewayError) -> str:
    """What to type next; a file that cannot be used has its place in the checks of `doctor`."""
    from iflow_cli_proxy.core.errors import StateError

    is_file = isinstance(error, StateError) and bool(error.detail)
    return error.hint or ("`iflow2api doctor` looks at folders, permissions and locks" if is_file else "")


def is_unwritable(error: OSError) -> bool:
    """Whether this is a stream of ours that takes no more, such as a file on a full disk."""
    return error.errno in _UNWRITABLE and error.filename is None


def report_unwritable(error: OSError) -> ExitCode:
    """Tell that the output is not complete, and let nobody try again with what is still held back."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    with suppress(OSError):
        say(f"Error: The output could not be written: {error.strerror}.", "red")
    return ExitCode.FAILED


def exit_code_of(error: GatewayError) -> ExitCode:
    from iflow_cli_proxy.core.errors import ConfigError, CredentialError

    match error:
        case CredentialError():
            return ExitCode.LOGIN_NEEDED
        case ConfigError(param=str(param)) if param.startswith("--"):
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def printable(text: str) -> str:
    """Text from elsewhere without the control characters that could steer a terminal (RELIABILITY I44)."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = _widths(rows)
    lines = (_GAP.join(padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cells, column)) for column in zip(*rows, strict=True)]
