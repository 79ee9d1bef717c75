"""How far a request has come, for whoever looks while it runs.

A request only leaves a reference behind; looking does the counting. Refuses to know who looks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from iflow_cli_proxy.gateway.record import Exchange


class Phase(StrEnum):
    QUEUED = "queued"
    """Nobody has been asked: it waits for an account, or for its next try."""
    WAITING = "waiting"
    """Sent upstream, and nothing has come yet."""
    THINKING = "thinking"
    """What comes at the moment is the model's reasoning."""
    STREAMING = "streaming"
    """Text or calls come, or the whole answer is on its way to the client."""


class Progress(Protocol):
    """An answer that is under way."""

    @property
    def characters(self) -> int:
        """About how much came so far, reasoning included."""
        ...

    @property
    def is_thinking(self) -> bool:
        """What came last was reasoning."""
        ...


class Further:
    """Of an answer that is asked on: what was said before, and what `exchange` adds to it."""

    def __init__(self, before: Progress | None, exchange: Exchange) -> None:
        self._before = before
        self._exchange = exchange

    @property
    def characters(self) -> int:
        return sum(one.characters for one in (self._before, self._exchange.progress) if one is not None)

    @property
    def is_thinking(self) -> bool:
        progress = self._exchange.progress
        return progress is not None and progress.is_thinking


def phase_of(exchange: Exchange) -> Phase:
    progress = exchange.progress
    if progress is not None and (exchange.first_byte_s is not None or progress.characters):
        return Phase.THINKING if progress.is_thinking else Phase.STREAMING
    if exchange.is_asking:
        return Phase.WAITING
    return Phase.QUEUED if exchange.first_byte_s is None else Phase.STREAMING
