"""A QR code in characters: two rows of modules in one line of text.

Knows half blocks and the quiet zone. Refuses to know colours and screens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import segno

_QUIET_ZONE: Final = 2
"""Modules of margin. The standard says 4; phones read 2, and so the code of a long address fits into 40 columns."""
_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_lines(text: str, *, draws_light: bool = False) -> list[str]:
    """The code of `text` as lines of equal length, margin included.

    Blocks are the dark modules, for dark ink on a light ground; with `draws_light` the light ones, for the reverse.
    """
    code = segno.make(text, error="l", micro=False)
    rows = [[bool(module) is not draws_light for module in row] for row in code.matrix_iter(border=_QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([draws_light] * len(rows[0]))  # one more row of margin
    return [_line(upper, lower) for upper, lower in zip(rows[::2], rows[1::2], strict=True)]


def _line(upper: Sequence[bool], lower: Sequence[bool]) -> str:
    return "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
