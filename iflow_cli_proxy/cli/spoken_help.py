"""Help and wrong usage in the language of this call: the texts of the commands, and Typer's own words around them.

Knows where Typer keeps words. Refuses to know any command. For English nothing here runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from typer.core import TyperGroup

from iflow_cli_proxy.cli.speech import language, spoken

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


class SpokenGroup(TyperGroup):
    """The root of the commands; it is built anew for each call, so it may be changed for good."""

    def main(self, args: Sequence[str] | None = None, *given: Any, **more: Any) -> Any:
        with ExitStack() as stack:
            if language() != "en":
                speak(self, **self.context_settings)
                stack.enter_context(_typer_speaking())
            return super().main(args, *given, **more)


def speak(command: Any, **settings: Any) -> None:
    """Put every text of a command and of those under it into the language of this call."""
    if command.help:
        command.help = spoken_paragraphs(command.help)
    help_option = command.get_help_option(command.context_class(command, **settings))
    for parameter in (*command.params, *([help_option] if help_option else [])):
        if getattr(parameter, "help", None):
            parameter.help = spoken_paragraphs(parameter.help)
        if isinstance(getattr(parameter, "show_default", None), str):
            parameter.show_default = spoken(parameter.show_default)
    for child in getattr(command, "commands", {}).values():
        speak(child, **settings)


def spoken_paragraphs(text: str) -> str:
    """Each paragraph is a text of its own, however its lines are broken in the source."""
    return "\n\n".join(spoken(" ".join(paragraph.split())) for paragraph in text.split("\n\n"))


@contextmanager
def _typer_speaking() -> Iterator[None]:
    """Typer's own words, as long as it lasts."""
    from typer import rich_utils

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
