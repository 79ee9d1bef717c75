"""Numbers as pictures of characters: bars, lines of sparks, a chart of columns. Pure; knows no colours, no screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from iflow_cli_proxy.cli.folding import cells, padded

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_LEVELS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN_LEVELS: Final = " ..::+++#"
"""For terminals that know no blocks."""
_ROUNDS_UP: Final = 0.9995
"""What is 1000 with three digits is 1 of the next size."""
_GUIDE: Final = ("┤", "│", "└", "─")
_PLAIN_GUIDE: Final = ("+", "|", "+", "-")


def bar(value: float, largest: float, width: int, *, is_plain: bool = False) -> str:
    """At most `width` cells; what is not nothing is seen."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(min(1.0, value / largest) * width * 8))
    full, rest = divmod(eighths, 8)
    if is_plain:
        return "#" * max(1, full)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def sparks(numbers: Sequence[float], *, is_plain: bool = False) -> str:
    """One cell for each number, as high as its share of the largest."""
    levels = _PLAIN_LEVELS if is_plain else _LEVELS
    largest = max(numbers, default=0.0)
    return "".join(levels[_level(number, largest, 8)] for number in numbers)


def columns(numbers: Sequence[float], *, height: int, thickness: int, is_plain: bool = False) -> list[str]:
    """Lines from the top, with a guide at their left; a column is `thickness` wide, the gap to the next included."""
    levels = _PLAIN_LEVELS if is_plain else _LEVELS
    tick, side, corner, floor = _PLAIN_GUIDE if is_plain else _GUIDE
    largest = max(numbers, default=0.0)
    heights = [_level(number, largest, height * 8) for number in numbers]
    solid = max(1, thickness - 1)
    lines = []
    for row in range(height - 1, -1, -1):
        cells = (levels[min(max(eighths - row * 8, 0), 8)] * solid for eighths in heights)
        line = "".join(cell.ljust(thickness) for cell in cells)
        lines.append((tick if row == height - 1 else side) + line.rstrip())
    return [*lines, corner + floor * (thickness * len(numbers))]


def buckets(numbers: Sequence[float], most: int) -> list[float]:
    """Neighbours added up until there are at most `most` numbers."""
    size = -(-len(numbers) // most) if most > 0 else 1
    return [sum(numbers[at : at + size]) for at in range(0, len(numbers), max(1, size))]


def short(number: float) -> str:
    """`1.2M`: for the side of a chart."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * _ROUNDS_UP:
            return f"{number / size:.3g}{name}"
    return f"{number:.0f}"


def aligned(rows: Iterable[Sequence[str]], is_right: Sequence[bool], gap: str) -> str:
    """Lines of a table without styles, numbers to the right."""
    kept = [list(row) for row in rows]
    widths = [max(map(cells, column)) for column in zip(*kept, strict=True)]
    return "\n".join(
        gap.join(
            padded(cell, width, is_right=right) for cell, width, right in zip(row, widths, is_right, strict=True)
        ).rstrip()
        for row in kept
    )


def _level(number: float, largest: float, steps: int) -> int:
    if number <= 0 or largest <= 0:
        return 0
    return max(1, round(number / largest * steps))
