"""Gemini's server-sent events, and the errors that stand bare among them.

Google ends a stream that fails with an error object that is no event: plain JSON, on one line or several. Its clients
look for that form. A line that begins as JSON does and no field of an event can is read as data.
"""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.core.sse import Frame, Framer

_BARE: Final = re.compile(rb'^(?=[{}\[\]" ])', re.MULTILINE)
_DATA: Final = b"data: "


class BareFramer:
    """Bytes in, frames out, as `Framer` does it. Raises what that raises."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._is_line_start = True

    def feed(self, chunk: bytes, /) -> list[Frame]:
        if not chunk:
            return []
        head = b""
        if not self._is_line_start:
            head, end, chunk = chunk.partition(b"\n")
            head += end
            self._is_line_start = bool(end)
        if chunk:
            self._is_line_start = chunk.endswith(b"\n")
            chunk = _BARE.sub(_DATA, chunk)
        return self._framer.feed(head + chunk)

    def close(self) -> list[Frame]:
        return self._framer.close()
