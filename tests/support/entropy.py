"""Randomness a test can foresee."""

from __future__ import annotations

from collections.abc import Callable


def counting_entropy() -> Callable[[int], bytes]:
    """Bytes that count up: every draw differs from the one before, and every run is the same."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return drawn.to_bytes(size, "big")

    return draw
