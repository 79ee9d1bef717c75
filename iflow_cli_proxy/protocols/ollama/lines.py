"""JSON lines: bytes to frames, one for each line that is not blank (NDJSON).

Survives any split of the bytes, CRLF, a byte order mark and a last line without its end. Bytes that are not UTF-8
become U+FFFD. Knows nothing of JSON.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.sse import MAX_EVENT_BYTES, Frame

NDJSON: Final = "application/x-ndjson"
_BOM: Final = b"\xef\xbb\xbf"


class LineFramer:
    """Bytes in, frames out.

    Raises:
        Malformed: a line grew past `max_line_bytes`; what came before it has been handed out.
    """

    def __init__(self, max_line_bytes: int = MAX_EVENT_BYTES) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_started = False
        self._max_line_bytes = max_line_bytes

    def feed(self, chunk: bytes, /) -> list[Frame]:
        self._check_size()
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces, self._size = [], 0
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
        frames = self._frames(lines)
        if not frames:
            self._check_size()
        return frames

    def close(self) -> list[Frame]:
        """The line that lacks its end, if there is one; whether it is whole is for the decoder to see."""
        line, self._pieces, self._size = b"".join(self._pieces), [], 0
        return self._frames([line])

    def _frames(self, lines: list[bytes]) -> list[Frame]:
        if lines and not self._is_started:
            self._is_started = True
            lines[0] = lines[0].removeprefix(_BOM)
        return [Frame(_repaired(line)) for line in lines if line.strip()]

    def _check_size(self) -> None:
        if self._size > self._max_line_bytes:
            raise Malformed("The upstream sent a line that is too long.")


def _repaired(line: bytes) -> bytes:
    if line.isascii():
        return line
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace").encode()
    return line
