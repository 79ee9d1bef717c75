"""The passphrase of a bundle: from a file, the environment, a pipe or the person, never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from iflow_cli_proxy.cli.output import ask
from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.state.vault import PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE, Ask, find_passphrase


def asker() -> Ask | None:
    """How to ask for a passphrase here; None where nobody is to be asked."""
    is_someone_there = sys.stdin is not None and sys.stdin.isatty()
    return (lambda question: ask(question.strip(" :"), is_secret=True)) if is_someone_there else None


class AskingAtStart:
    """Asks the person who starts a program that then serves others, and nobody once `end()` was called.

    Accounts that are sealed beside a running gateway must not make it stand still before a question.
    """

    def __init__(self, asking: Ask | None) -> None:
        self._asking = asking

    def __call__(self, question: str) -> str:
        if self._asking is None:
            raise StateError(
                "The accounts are sealed with a passphrase, and nobody is here to type it.",
                hint=f"set {PASSPHRASE_FILE_VARIABLE} to a file of mode 0600 that holds it, and start again",
            )
        return self._asking(question)

    def end(self) -> None:
        self._asking = None


def passphrase_for(environ: Mapping[str, str], file: Path | None, *, is_new: bool = False) -> str:
    """A new one is typed twice at a terminal; a pipe gives it as one line.

    Raises:
        ConfigError: there is none.
        StateError: the file cannot be used, it is empty, or what was typed differs.
    """
    if file is not None:
        return _in_named_file(file)
    if (asking := asker()) is not None:
        return find_passphrase(environ, asking, is_new=is_new)
    line: list[str] = []

    def piped(question: str) -> str:
        if not line:
            line.append(ask(question, is_secret=True))
        return line[0] or _none()

    return find_passphrase(environ, piped, is_new=is_new)


def _in_named_file(file: Path) -> str:
    try:
        return find_passphrase({PASSPHRASE_FILE_VARIABLE: str(file)}, None)
    except StateError as error:
        told = error.message.replace(PASSPHRASE_FILE_VARIABLE, "--passphrase-file")
        hint = error.hint or "--passphrase-file FILE, where the first line of FILE is the passphrase"
        raise StateError(told, detail=error.detail, hint=hint) from error


def _none() -> str:
    raise ConfigError(
        "A passphrase is needed, and nobody is here to type it.",
        param="--passphrase-file",
        hint=f"set {PASSPHRASE_VARIABLE}, or name a file of mode 0600: --passphrase-file FILE",
    )
