"""Answers that a client may go on from by their id, kept in memory for a while: so many, so large, so long.

Each belongs to whoever asked, and whoever keeps most makes room first, so that nobody's answers are driven out by
another's. Nothing of them is written to a disk: they are whole conversations, and whoever wants them kept for good
keeps them. What they hold is the protocol's business; here it is JSON with an id, which takes a tenth of the room that
the same takes as values.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.protocols import response_history

MOST: Final = 1_000
LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Of all together."""
KEPT_S: Final = 24 * 3600.0
BESIDE_BYTES: Final = 1_024
"""What keeping one takes besides its JSON, generously."""


@dataclass(frozen=True)
class _Kept:
    body: bytes
    at: float

    @property
    def size_bytes(self) -> int:
        return len(self.body) + BESIDE_BYTES


@dataclass
class _Shelf:
    """What one owner keeps, the oldest first."""

    kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    size_bytes: int = 0

    @property
    def oldest(self) -> _Kept:
        return next(iter(self.kept.values()))


class StoredResponses:
    """The oldest of whoever keeps most make room for the newest."""

    def __init__(self, clock: Clock, *, most: int = MOST, largest_bytes: int = LARGEST_BYTES) -> None:
        self._clock = clock
        self._most = most
        self._largest_bytes = largest_bytes
        self._shelves: dict[str, _Shelf] = {}
        """By owner; none is empty."""
        self._size_bytes = 0

    def __len__(self) -> int:
        return sum(len(shelf.kept) for shelf in self._shelves.values())

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def put(self, owner: str, value: response_history.Stored) -> None:
        """One that is too large for all the room there is is not kept."""
        kept = _Kept(jsonx.encode([value.input, value.response]), self._clock.monotonic())
        self._drop(owner, value.id)
        if kept.size_bytes > self._largest_bytes:
            return
        shelf = self._shelves.setdefault(owner, _Shelf())
        shelf.kept[value.id] = kept
        shelf.size_bytes += kept.size_bytes
        self._size_bytes += kept.size_bytes
        self._make_room()

    def get(self, owner: str, response_id: str) -> response_history.Stored | None:
        found = self._find(owner, response_id)
        if found is None:
            return None
        items, response = jsonx.decode(found.body)
        return response_history.Stored(input=tuple(items), response=response)

    def delete(self, owner: str, response_id: str) -> bool:
        """False when there was none."""
        is_there = self._find(owner, response_id) is not None
        self._drop(owner, response_id)
        return is_there

    def _find(self, owner: str, response_id: str) -> _Kept | None:
        shelf = self._shelves.get(owner)
        found = shelf.kept.get(response_id) if shelf is not None else None
        return found if found is not None and not self._has_expired(found) else None

    def _has_expired(self, kept: _Kept) -> bool:
        return self._clock.monotonic() - kept.at >= KEPT_S

    def _make_room(self) -> None:
        for owner in list(self._expired_owners()):
            while owner in self._shelves and self._has_expired(self._shelves[owner].oldest):
                self._drop_oldest(owner)
        while self._size_bytes > self._largest_bytes:
            self._drop_oldest(max(self._shelves, key=lambda owner: self._shelves[owner].size_bytes))
        while len(self) > self._most:
            self._drop_oldest(max(self._shelves, key=lambda owner: len(self._shelves[owner].kept)))

    def _expired_owners(self) -> Iterator[str]:
        return (owner for owner, shelf in self._shelves.items() if self._has_expired(shelf.oldest))

    def _drop_oldest(self, owner: str) -> None:
        self._drop(owner, next(iter(self._shelves[owner].kept)))

    def _drop(self, owner: str, response_id: str) -> None:
        shelf = self._shelves.get(owner)
        kept = shelf.kept.pop(response_id, None) if shelf is not None else None
        if shelf is None or kept is None:
            return
        shelf.size_bytes -= kept.size_bytes
        self._size_bytes -= kept.size_bytes
        if not shelf.kept:
            del self._shelves[owner]
