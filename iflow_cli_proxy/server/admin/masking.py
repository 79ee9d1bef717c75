"""Whether a client masks what it sends over a WebSocket, as RFC 6455, section 5.1 asks of every client.

2026-11: aiohttp 3.14.5 reads frames without a mask; a proxy on the way that does not know WebSockets could then be
talked into caching what a page made up. Knows where frames begin. Refuses to know what is in them.
"""

from __future__ import annotations

from typing import Final

_EXTENDED: Final = {126: 2, 127: 8}
"""Bytes of the length that follow such a first one."""
_MASK_BYTES: Final = 4


class MaskWatch:
    """Fed with every byte of one connection, from the first frame on."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skips = 0
        """Bytes of the running frame that are still to come."""

    def feed(self, data: bytes) -> bool:
        """False at a frame without a mask."""
        at = 0
        while at < len(data):
            if self._skips:
                taken = min(self._skips, len(data) - at)
                self._skips -= taken
                at += taken
                continue
            self._head.append(data[at])
            at += 1
            if len(self._head) < 2:
                continue
            if not self._head[1] & 0x80:
                return False
            first = self._head[1] & 0x7F
            more = _EXTENDED.get(first, 0)
            if len(self._head) == 2 + more:
                length = int.from_bytes(self._head[2:], "big") if more else first
                self._skips = _MASK_BYTES + length
                self._head.clear()
        return True
