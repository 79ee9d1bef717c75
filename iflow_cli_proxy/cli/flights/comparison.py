"""Two answers to one question, side by side; and where their texts part. Imported only by `replay`."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

from iflow_cli_proxy.cli.flights.meaning import Said
from iflow_cli_proxy.cli.flights.replaying import Replayed
from iflow_cli_proxy.cli.flights.screen import seconds
from iflow_cli_proxy.cli.output import console, print_table, printable, say
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core import jsonx

_MOST_LINES: Final = 40
_LONGEST_LINE: Final = 100
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def show(both: Replayed) -> None:
    """A table of everything but the texts, then the lines in which these differ."""
    then, now, different = both.said_then, both.said_now, both.differences
    rows = [
        (name, before, after, "≠" if key in different else "")
        for name, key, before, after in _rows(then, now)
        if before or after
    ]
    print_table(("", both.then.row.request_id, both.request_id, ""), rows)
    screen = console()
    for line in text_lines(then, now, width=screen.width):
        screen.print(printable(line), style=_STYLES.get(line[:1], ""), markup=False, soft_wrap=True)
    if both.is_masked:
        say("What was sent again is not what was sent then: secrets in it had been masked.", "yellow")
    if then.text is None:
        say("What was answered then was not kept whole, so the words are not compared.", "yellow")
    if not both.is_recorded:
        say("The gateway keeps its ledger elsewhere: of the second try only the answer is known.", "yellow")
    say("Different." if different else "The same.", "yellow" if different else "green")


def text_lines(then: Said, now: Said, *, width: int = _LONGEST_LINE) -> Iterator[str]:
    """Where text, thinking and calls differ, as lines with + and -."""
    for name in ("text", "reasoning", "tool_calls"):
        before, after = _words(then, name), _words(now, name)
        if before is None or after is None or before == after:
            continue
        found = list(unified_diff(_cut(before, width - 1), _cut(after, width - 1), "", "", n=1, lineterm=""))[2:]
        yield ""
        yield from found[:_MOST_LINES]
        if len(found) > _MOST_LINES:
            yield "…"


def _rows(then: Said, now: Said) -> Iterator[tuple[str, str, str, str]]:
    """A heading, the name of the difference, and both values."""

    def row(heading: str, name: str) -> tuple[str, str, str, str]:
        return heading, name, _cell(getattr(then, name)), _cell(getattr(now, name))

    yield row(spoken("status"), "status")
    yield row(spoken("error"), "error")
    yield row(spoken("account"), "account")
    yield row(spoken("route"), "route")
    yield row(spoken("attempts"), "attempts")
    yield spoken("text"), "text", _length(then.text), _length(now.text)
    yield spoken("thinking"), "reasoning", _length(then.reasoning), _length(now.reasoning)
    yield spoken("tool calls"), "tool_calls", _calls(then), _calls(now)
    yield row(spoken("stopped by"), "stop_reason")
    for heading, name in ((spoken("prompt"), "prompt"), (spoken("completion"), "completion")):
        yield heading, "usage", _tokens(then, name), _tokens(now, name)
    yield spoken("notes"), "notes", "\n".join(then.notes or ()), "\n".join(now.notes or ())
    yield spoken("first byte"), "", seconds(then.first_byte_s), seconds(now.first_byte_s)
    yield spoken("took"), "", seconds(then.duration_s), seconds(now.duration_s)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _length(text: str | None) -> str:
    return spoken(f"{len(text)} characters") if text else ""


def _calls(one: Said) -> str:
    return ", ".join(name for name, _ in one.tool_calls or ())


def _tokens(one: Said, name: str) -> str:
    return spoken(f"{one.usage[name]} tokens") if one.usage and one.usage[name] else ""


def _words(one: Said, name: str) -> str | None:
    value = getattr(one, name)
    if name != "tool_calls" or value is None:
        return value if value is None else str(value)
    return "\n".join(f"{tool} {jsonx.encode(arguments).decode()}" for tool, arguments in value)


def _cut(text: str, width: int) -> list[str]:
    """Lines as they are; a text of one long line would be one long difference, so that is cut between words."""
    lines: list[str] = []
    for line in text.splitlines():
        words: list[str] = []
        for word in line.split(" "):
            if words and sum(map(len, words)) + len(words) + len(word) > min(width, _LONGEST_LINE):
                lines.append(" ".join(words))
                words = []
            words.append(word)
        lines.append(" ".join(words))
    return lines
