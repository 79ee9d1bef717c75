"""What rich 15 lacks for Chinese lines, lent to it for one call of the program (2026-11).

Its pattern for words knows blanks only, so a sentence without any is one word; and where it takes away the blanks at
the end of a line it counts letters instead of cells. Neither is needed any more when `tests/cli/test_rich_lines.py`
passes without this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import _wrap
from rich.text import Text

from iflow_cli_proxy.cli.folding import RICH_WORD


@contextmanager
def chinese_lines() -> Iterator[None]:
    """Let lines end between any two Chinese characters."""
    word, strip_end = _wrap.re_word, Text.rstrip_end
    _wrap.re_word = RICH_WORD
    Text.rstrip_end = _strip_end  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        _wrap.re_word = word
        Text.rstrip_end = strip_end  # type: ignore[method-assign]


def _strip_end(text: Text, size: int) -> None:
    spare = text.cell_len - size
    blanks = len(text.plain) - len(text.plain.rstrip())
    if spare > 0 and blanks:
        text.right_crop(min(spare, blanks))
