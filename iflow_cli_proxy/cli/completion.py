"""`iflow2api completion`: the lines a shell needs to complete our commands.

The scripts ask the program itself at every Tab, so they change only when Typer's own templates do.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from iflow_cli_proxy.cli.output import print_text, say

PROGRAM: Final = "iflow2api"


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


FILE_NAMES: Final = {
    Shell.BASH: "iflow2api.bash",
    Shell.ZSH: "_iflow2api",
    Shell.FISH: "iflow2api.fish",
    Shell.POWERSHELL: "iflow2api.ps1",
}
"""What each shell expects its file to be called."""


def completion(
    shell: Annotated[Shell | None, typer.Argument(help="Print the script of this shell.", show_default=False)] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write the files of all shells into this folder.")
    ] = None,
) -> None:
    """Print a completion script, as in `iflow2api completion zsh`, or write those of all shells."""
    if (shell is None) == (write is None):
        raise typer.BadParameter("name either a shell (bash, zsh, fish, powershell) or --write DIR")
    if shell is not None:
        print_text(script(shell).rstrip("\n"))
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for each, name in FILE_NAMES.items():
            (write / name).write_text(script(each), encoding="utf-8", newline="\n")
            say(f"wrote {write / name}")


def script(shell: Shell) -> str:
    """The text of one shell's script."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # Typer has no other door to it

    text = get_completion_script(prog_name=PROGRAM, complete_var="_IFLOW2API_COMPLETE", shell=shell.value)
    return text + "\n"
