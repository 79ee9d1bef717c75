"""What every open page is told: one snapshot, made and encoded once for all of them.

Refuses to know who is told. A page that asks again and again gets what the others got and costs nothing more.
"""

from __future__ import annotations

from math import inf

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.live import snapshot
from iflow_cli_proxy.server.state import ServerState


class Broadcast:
    """One for each server."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._text = ""
        self._made_at = -inf

    def text(self, every_s: float) -> str:
        """The frame of this beat; the same object until half a beat has passed."""
        now = self._state.clock.monotonic()
        if now - self._made_at >= every_s / 2:
            self._text = jsonx.encode({"type": "snapshot", **snapshot(self._state)}).decode()
            self._made_at = now
        return self._text

    def until_next_s(self, every_s: float) -> float:
        """Until the next beat, which is the same moment for all pages."""
        return every_s - self._state.clock.monotonic() % every_s if every_s else 0.0
