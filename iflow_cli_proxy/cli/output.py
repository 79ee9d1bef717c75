"""What commands print: data on stdout, conversation on stderr, and the exit code that follows from an error.

Knows tables, JSON and how an error is told to a person. Refuses to know any command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from iflow_cli_proxy.core.errors import GatewayError

_GAP: Final = "  "


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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headings; on a pipe without lines, styles and cuts."""
    clean = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        typer.echo(_aligned([list(columns), *clean]))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in clean:
        table.add_row(*map(Text, row))
    console().print(table)


def console(*, stderr: bool = False) -> Console:
    """A rich console on the stream of this moment, without highlighting of its own."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str, style: str = "") -> None:
    """A remark to the person, on stderr so that it never mixes with data."""
    from rich.text import Text

    console(stderr=True).print(Text(printable(text), style=style), soft_wrap=True)


def ask(question: str, *, is_secret: bool = False) -> str:
    """Ask the person at the terminal; a secret is not shown while typed. Leaving the question is an interrupt."""
    try:
        return str(typer.prompt(question, hide_input=is_secret, err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None


def report(error: GatewayError) -> ExitCode:
    """Tell what happened and what to type next; the answer is the exit code to leave with."""
    say(f"Error: {error.message}", "red")
    if error.detail:
        say(f"  {error.detail}", "dim")
    if error.hint:
        say(f"Hint: {error.hint}", "cyan")
    return exit_code_of(error)


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
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
