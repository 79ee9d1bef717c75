"""The passphrase of a bundle: from a file, the environment, a pipe or the person, never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from iflow_cli_proxy.cli.output import ask
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.vault import PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE, Ask, find_passphrase


def asker() -> Ask | None:
    """How to ask for a passphrase here; None where nobody is to be asked."""
    is_someone_there = sys.stdin is not None and sys.stdin.isatty()
    return (lambda question: ask(question.strip(" :"), is_secret=True)) if is_someone_there else None


def passphrase_for(environ: Mapping[str, str], file: Path | None, *, is_new: bool = False) -> str:
    """A new one is typed twice at a terminal; a pipe gives it as one line.

    Raises:
        ConfigError: there is none.
        StateError: the file cannot be used, it is empty, or what was typed differs.
    """
    given = {PASSPHRASE_FILE_VARIABLE: str(file)} if file else environ
    if (asking := asker()) is not None:
        return find_passphrase(given, asking, is_new=is_new)
    line: list[str] = []

    def piped(question: str) -> str:
        if not line:
            line.append(ask(question, is_secret=True))
        return line[0] or _none()

    return find_passphrase(given, piped, is_new=is_new)


def _none() -> str:
    raise ConfigError(
        "A passphrase is needed, and nobody is here to type it.",
        param="--passphrase-file",
        hint=f"set {PASSPHRASE_VARIABLE}, or name a file of mode 0600: --passphrase-file FILE",
    )
