"""What kind of picture some bytes begin, by their first bytes and by nothing else.

A label is only what a stranger says, so Content-Type is not asked. Nothing is decoded here or anywhere in the gateway:
a picture that unpacks to gigabytes stays the few bytes it came as. SVG and HTML are texts, and none of these.
"""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 18
"""So many bytes are enough to tell."""

_SIGNS: Final = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    # Two letters are too little: the reserved words are zero, and a header of a known size follows (wingdi.h).
    ("image/bmp", re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
)
TYPES: Final = tuple(media_type for media_type, _ in _SIGNS)


def media_type_of(head: bytes) -> str:
    """The media type of an image that begins with `head`; empty for anything else."""
    return next((media_type for media_type, sign in _SIGNS if sign.match(head)), "")
