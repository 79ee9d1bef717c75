"""How many bytes everybody together may hold of what strangers make us fetch.

A request of one kilobyte may name images of eighty megabytes, and many such requests may run at one time. Pure counts;
refuses to know what the bytes are.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import Busy

USUAL_BYTES: Final = 128 * 1024 * 1024
_COME_BACK_S: Final = 5.0


class Room:
    """One for the whole process, however often settings change."""

    def __init__(self, size: int = USUAL_BYTES) -> None:
        self.left = size

    def share(self) -> Share:
        return Share(self)


class Share:
    """What one holder has of a room; whoever asked for it gives it back."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def take(self, size: int) -> None:
        """Raises Busy when there is no such room left. Nobody waits: who holds a part of an image would wait for ever
        for another who does."""
        if size > self._room.left:
            raise Busy("Too many images are being fetched.", retry_after_s=_COME_BACK_S)
        self._room.left -= size
        self._held += size

    def give_back(self) -> None:
        self._room.left += self._held
        self._held = 0
