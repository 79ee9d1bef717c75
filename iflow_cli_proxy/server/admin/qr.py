"""A QR code as a drawing for the page: one text of SVG, which the browser shows as an image and never runs."""

from __future__ import annotations

import io
from typing import Final

import segno

_QUIET_ZONE: Final = 2
_PIXELS: Final = 5
"""Of one module, where nobody asks for another size."""


def qr_svg(text: str) -> str:
    """Dark on light whatever the page's colours are: not every camera reads the reverse."""
    drawn = io.BytesIO()
    code = segno.make(text, error="l", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, border=_QUIET_ZONE, scale=_PIXELS, dark="#000", light="#fff")
    return drawn.getvalue().decode()
