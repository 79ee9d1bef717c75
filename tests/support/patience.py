"""Waiting for what nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 5.0


async def until(holds: Callable[[], bool]) -> None:
    """Return once `holds()`; a test that waits in vain fails."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 -- an event would have to be set by the code under test
            await asyncio.sleep(0.005)
