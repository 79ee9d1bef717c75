"""Lines on a screen: how wide a text is, and where it may end and go on below.

Knows that Chinese stands two cells wide and breaks between any two characters, but not before a full stop. Refuses to
know what a line says.
"""

from __future__ import annotations

import re
from typing import Final

_WIDE: Final = r"\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6"
_OPENING: Final = r"[\uff08\u300a\u3010\u300c\u300e\u201c\u2018(\[]*"
_CLOSING: Final = (
    r"[\uff0c\uff1a\uff1b\uff1f\uff01\uff09\uff05\u3002\u3001\u300b\u3011\u300d\u300f\u201d\u2019\u2026,.;:!?)\]]*"
)
_CHARACTER: Final = rf"{_OPENING}[{_WIDE}]{_CLOSING}"

RICH_WORD: Final = re.compile(rf"\s*(?:{_CHARACTER}|[^\s{_WIDE}]+{_CLOSING}|\S)\s*")
"""What rich may move to the next line as a whole; its own pattern takes a Chinese sentence for one word."""
_WORD: Final = re.compile(rf"(\s*)({_CHARACTER}|(?:`[^`]*`|[^\s`{_WIDE}]|`)+{_CLOSING}|\S)")
"""What stays on one line, after the blanks before it; what stands in backquotes is one word, spaces and all."""


def cells(text: str) -> int:
    """How wide it stands."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int, *, is_right: bool = False) -> str:
    """With blanks up to `width` cells."""
    blanks = " " * (width - cells(text))
    return blanks + text if is_right else text + blanks


def folded(text: str, width: int) -> str:
    """Lines of at most `width`; a word or a command in backquotes that is longer has a line of its own."""
    return "\n".join(_folded_line(line, width) for line in text.split("\n"))


def _folded_line(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    lines: list[str] = []
    for blanks, word in _WORD.findall(line.strip()):
        gap = " " if blanks else ""
        if lines and cells(lines[-1]) + len(gap) + cells(word) <= width:
            lines[-1] += gap + word
        else:
            lines.append(indent + word)
    return "\n".join(lines)
