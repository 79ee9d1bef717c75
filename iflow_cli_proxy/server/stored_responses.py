"""Answers that a client may go on from by their id, kept in memory for a while: so many, so large, so long.

Each belongs to the client key that asked. Nothing of them is written to a disk: they are whole conversations, and
whoever wants them kept for good keeps them. What they hold is the protocol's business; here it is a value with an id.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.protocols import response_history

MOST: Final = 1_000
LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Of all together, as JSON."""
KEPT_S: Final = 24 * 3600.0


@dataclass(frozen=True)
class _Kept:
    value: response_history.Stored
    size_bytes: int
    at: float


class StoredResponses:
    """The oldest make room for the newest."""

    def __init__(self, clock: Clock, *, most: int = MOST, largest_bytes: int = LARGEST_BYTES) -> None:
        self._clock = clock
        self._most = most
        self._largest_bytes = largest_bytes
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, owner: str, value: response_history.Stored) -> None:
        """One that is too large for all the room there is is not kept."""
        size = len(jsonx.encode([value.input, value.response]))
        self._drop((owner, value.id))
        if size > self._largest_bytes:
            return
        self._kept[owner, value.id] = _Kept(value, size, self._clock.monotonic())
        self._size_bytes += size
        while self._size_bytes > self._largest_bytes or len(self._kept) > self._most or self._has_expired():
            self._drop(next(iter(self._kept)))

    def get(self, owner: str, response_id: str) -> response_history.Stored | None:
        found = self._kept.get((owner, response_id))
        return found.value if found is not None and self._clock.monotonic() - found.at < KEPT_S else None

    def delete(self, owner: str, response_id: str) -> bool:
        """False when there was none."""
        is_there = self.get(owner, response_id) is not None
        self._drop((owner, response_id))
        return is_there

    def _has_expired(self) -> bool:
        return self._clock.monotonic() - next(iter(self._kept.values())).at >= KEPT_S

    def _drop(self, name: tuple[str, str]) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._size_bytes -= kept.size_bytes
