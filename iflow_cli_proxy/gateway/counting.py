"""How many tokens a prompt has, as far as anybody can say without the model's own tokenizer.

Learned from what upstreams report: bytes of a body and tokens of its prompt, model by model. Until a model has been
heard of, four bytes are a token. Refuses to know protocols: a body is so many bytes of text and so many pictures.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

_USUAL: Final = 0.25
"""Tokens for each byte of a body, before anything is known."""
_LEAST: Final = 0.02
_MOST: Final = 1.5
"""What is outside of these was not counted by a tokenizer."""
_SMALLEST_BYTES: Final = 200
"""The template of a model weighs more than such a prompt, so nothing is learned from it."""
_MEMORY: Final = 20
"""So many requests back the past weighs as much as the present."""
_MOST_MODELS: Final = 256
IMAGE_TOKENS: Final = 1_100
"""Of one picture: what the vendors' rules give for about a megapixel."""
SHORTEST_PICTURE: Final = 1_024
"""Characters; fewer of base64 are counted as text, which they may well be."""

_PICTURE: Final = re.compile(rb'"(?:data:[^",]{0,200}+,)?+(?:[A-Za-z0-9+/\\_-]{%d,}+)={0,2}"' % SHORTEST_PICTURE)
"""A JSON string that is base64 from end to end, with or without the head of a data URL. Slashes may be escaped."""


class PromptSize(NamedTuple):
    """How large a prompt is, what is text in it and what is not."""

    text_bytes: int
    pictures: int = 0
    """Or documents, or sounds."""


def size_of(body: bytes, marks: Iterable[bytes]) -> PromptSize:
    """Of a body as JSON. `marks` are what stands beside every picture; one without them is looked at no further, which
    takes 0.3 ms for each mark and megabyte."""
    if not any(mark in body for mark in marks):
        return PromptSize(len(body))
    spans = [len(found.group()) for found in _PICTURE.finditer(body)]
    return PromptSize(len(body) - sum(spans), len(spans))


class TokenScale:
    """Belongs to one event loop. What it has learned lasts as long as the process."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """By model: tokens for each byte, and how many requests said so."""

    def learn(self, model: str, size_bytes: int, tokens: int) -> None:
        """`tokens` were counted by the upstream for a body of text only."""
        if size_bytes < _SMALLEST_BYTES or tokens <= 0:
            return
        seen = tokens / size_bytes
        if not _LEAST <= seen <= _MOST:
            return
        ratio, count = self._known.pop(model, (0.0, 0))
        count = min(count + 1, _MEMORY)
        self._known[model] = (ratio + (seen - ratio) / count, count)
        if len(self._known) > _MOST_MODELS:
            self._known.popitem(last=False)

    def tokens(self, model: str, size_bytes: int, images: int = 0) -> int:
        """`size_bytes` without the images' own."""
        ratio, _ = self._known.get(model, (_USUAL, 0))
        return math.ceil(max(0, size_bytes) * ratio) + images * IMAGE_TOKENS
