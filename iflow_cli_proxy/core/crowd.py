"""Whether a JSON text holds more lists, objects and keys than anybody means, told without making them.

A megabyte of `[],` takes hundreds of times longer to decode than a megabyte of prose, and nothing else runs meanwhile
(RELIABILITY L10). Honest texts pay for this as little as can be: the cost of counting is that of reading the bytes.
"""

from __future__ import annotations

from typing import Final

MAX_CONTAINERS: Final = 250_000
"""Lists and objects. An agent's request of 1 MB has 2,000; an answer with 20 logprobs for each token, 40 for each."""
MAX_KEYS: Final = 500_000

_HARMLESS_BYTES: Final = 262_144
"""So short that not even brackets alone take long."""
_SAMPLED_BYTES: Final = 1_310_720
"""Up to here a text is sampled first, and counted only when the sample is dense; beyond, always counted."""
_SAMPLES: Final = 32
_SAMPLE_BYTES: Final = 512
_FIRST_BYTES: Final = 2_097_152
"""A hostile text is mostly the same all through, so its beginning gives it away."""
_MOST_QUOTES: Final = 1_000_000


def is_crowded(text: bytes) -> bool:
    """Whether `text` exceeds one of the limits. What stands inside of strings does not count."""
    if len(text) <= _HARMLESS_BYTES or (len(text) <= _SAMPLED_BYTES and not _looks_dense(text)):
        return False
    return _is_over(text) and any(_is_over(_outside_of_strings(text[:size])) for size in (_FIRST_BYTES, len(text)))


def _looks_dense(text: bytes) -> bool:
    """Whether the brackets of a few samples amount to half the limit; only brackets can be too many in a short text."""
    step = len(text) // _SAMPLES
    start = hash(text[:64]) % (step - _SAMPLE_BYTES)  # salted anew in every process: nobody can write around it
    samples = b"".join([text[at : at + _SAMPLE_BYTES] for at in range(start, step * _SAMPLES, step)])
    brackets = len(samples) - len(samples.translate(None, b"[{"))
    return brackets * len(text) > MAX_CONTAINERS // 2 * len(samples)


def _is_over(text: bytes) -> bool:
    return text.count(b"[") + text.count(b"{") > MAX_CONTAINERS or text.count(b":") > MAX_KEYS


def _outside_of_strings(text: bytes) -> bytes:
    """The text without its strings; as it is when there are too many of them to take out, which is a crowd too."""
    pieces = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"', _MOST_QUOTES)
    return text if len(pieces) > _MOST_QUOTES else b"".join(pieces[::2])
