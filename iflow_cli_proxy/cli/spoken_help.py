"""Help and wrong usage in the language of this call: the texts of the commands, and Typer's own words around them.

Knows where Typer keeps words. Refuses to know any command. For English nothing here runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

import typer
from typer.core import TyperGroup

from iflow_cli_proxy.cli.speech import language, lend_lines, spoken

_TYPERS_WORDS: Final = (
    "DEFAULT_STRING",
    "ENVVAR_STRING",
    "REQUIRED_LONG_STRING",
    "ARGUMENTS_PANEL_TITLE",
    "OPTIONS_PANEL_TITLE",
    "COMMANDS_PANEL_TITLE",
    "ERRORS_PANEL_TITLE",
    "ABORTED_TEXT",
    "RICH_HELP",
)
"""Constants of `typer.rich_utils` (Typer 0.29)."""

_USAGE: Final = "Usage:"
_ENGLISH: Final = "en"
_COMPLETING: Final = "_IFLOW2API_COMPLETE"
"""Set by a shell that asks what could come next."""


class SpokenGroup(TyperGroup):
    """The root of the commands; it is built anew for each call, so it may be changed for good."""

    _ending: ExitStack | None = None

    def main(self, args: Sequence[str] | None = None, *given: Any, **more: Any) -> Any:
        if language() == _ENGLISH:
            return super().main(args, *given, **more)
        with ExitStack() as self._ending:
            for command in _all_under(self):
                command.format_help = partial(_format_help, command)
                if os.environ.get(_COMPLETING):
                    speak(command)  # a shell shows what each command is for
            return super().main(args, *given, **more)

    def make_context(self, *given: Any, **more: Any) -> Any:
        with self._explaining():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with self._explaining():
            return super().invoke(ctx)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """What is wrong with a call is told by Typer once this is left; then its words have to be ours."""
        try:
            yield
        except Exception as error:
            if self._ending is not None and (hasattr(error, "format_message") or isinstance(error, typer.Abort)):
                self._ending.enter_context(_typer_speaking())
            raise


def _all_under(command: Any) -> Iterator[Any]:
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from _all_under(child)


def _format_help(command: Any, ctx: Any, formatter: Any) -> None:
    with _typer_speaking():
        speak(command, command.get_help_option(ctx))
        for child in getattr(command, "commands", {}).values():
            speak(child)
        type(command).format_help(command, ctx, formatter)


def speak(command: Any, help_option: Any = None) -> None:
    """Put the texts of a command into the language of this call."""
    if command.help:
        command.help = spoken_paragraphs(command.help)
    for parameter in (*command.params, *([help_option] if help_option else [])):
        if getattr(parameter, "help", None):
            parameter.help = spoken_paragraphs(parameter.help)
        if isinstance(getattr(parameter, "show_default", None), str):
            parameter.show_default = spoken(parameter.show_default)


def spoken_paragraphs(text: str) -> str:
    """Each paragraph is a text of its own, however its lines are broken in the source."""
    return "\n\n".join(spoken(" ".join(paragraph.split())) for paragraph in text.split("\n\n"))


@contextmanager
def _typer_speaking() -> Iterator[None]:
    """Typer's own words, as long as it lasts."""
    from typer import rich_utils

    lend_lines()

    class Highlighter(rich_utils.OptionHighlighter):
        """Through it go usage lines and what is wrong with a call."""

        def __call__(self, text: Any) -> Any:
            return super().__call__(spoken_usage(text) if isinstance(text, str) else text)

    before = {name: getattr(rich_utils, name) for name in (*_TYPERS_WORDS, "highlighter")}
    for name in _TYPERS_WORDS:
        setattr(rich_utils, name, spoken(before[name]))
    rich_utils.highlighter = Highlighter()
    try:
        yield
    finally:
        for name, word in before.items():
            setattr(rich_utils, name, word)


def spoken_usage(text: str) -> str:
    """A usage line keeps what is to be typed; an error is said as a whole."""
    if not text.startswith(_USAGE):
        return spoken(text)
    word = spoken(_USAGE)
    return word + text.removeprefix(_USAGE if word.isascii() else f"{_USAGE} ")
