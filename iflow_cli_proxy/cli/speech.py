"""The language of this call of the program, and the door through which our words go to the person who made it.

Whoever shows a heading or a word of ours hands it to `spoken`; `output` does so with everything it is given. Refuses to
know any text. English passes untouched and without reading anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

VARIABLE: Final = "IFLOW2API_LANG"
FLAG: Final = "--lang"

_ENGLISH: Final = "en"
_PROBE: Final = "\u4e2d"


@dataclass
class _Call:
    """One call of the program. No context variable: what rich redraws in a thread of its own is spoken too."""

    language: str = _ENGLISH
    ending: ExitStack = field(default_factory=ExitStack)
    has_lent: bool = False


_CALLS: Final = [_Call()]
"""The last one is under way; the first stands for everything outside of any."""


def spoken(text: str) -> str:
    """A text of ours as this person reads it; what is not ours, or has no entry, as it is."""
    if _CALLS[-1].language == _ENGLISH:
        return text
    from iflow_cli_proxy.language import translate

    return translate(text, _CALLS[-1].language)


def language() -> str:
    """The one that is spoken now."""
    return _CALLS[-1].language


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """Everything `spoken` inside is in this language."""
    call = _Call(wanted)
    _CALLS.append(call)
    try:
        with call.ending:
            yield
    finally:
        _CALLS.pop()


def lend_lines() -> None:
    """Before rich draws anything: until the end of this call it ends lines where the language lets it."""
    call = _CALLS[-1]
    if call.language == _ENGLISH or call.has_lent:
        return
    from iflow_cli_proxy.cli.rich_lines import chinese_lines

    call.ending.enter_context(chinese_lines())
    call.has_lent = True


def asked_for(args: Sequence[str]) -> tuple[str, list[str]]:
    """The value of `--lang` wherever it stands, and the arguments with it at their head, where Typer judges it.

    What follows `--` is for somebody else.
    """
    end = args.index("--") if "--" in args else len(args)
    ours, rest, value = [*args[:end]], [*args[end:]], ""
    kept: list[str] = []
    while ours:
        word = ours.pop(0)
        if word == FLAG and not ours:
            return value, [FLAG]  # Typer says that something is missing
        if word == FLAG:
            value = ours.pop(0)
        elif word.startswith(f"{FLAG}="):
            value = word.removeprefix(f"{FLAG}=")
        else:
            kept.append(word)
    return value, [*([FLAG, value] if value else []), *kept, *rest]


def language_of(asked: str, environ: Mapping[str, str]) -> str:
    """As asked for by flag or variable, else as the locale says, if this terminal can show it."""
    from iflow_cli_proxy.language.choice import of_locale, of_tag

    if found := of_tag(asked or environ.get(VARIABLE, "")):
        return found
    found = of_locale(environ)
    return found if found == _ENGLISH or _can_show_it() else _ENGLISH


def _can_show_it() -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            _PROBE.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
