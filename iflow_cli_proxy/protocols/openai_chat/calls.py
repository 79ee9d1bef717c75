"""Which tool call a delta belongs to when `id` or `index` is missing or used twice.

The rules are those of the iFlow reference (section 6.2) and the Qwen reference (section 8.1). Refuses to know events.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.openai_chat.wire import WireToolDelta

_LONGEST_TRIED: Final = 65_536
"""Characters of arguments that are parsed to see whether they are whole; a bound for what a stranger makes us do."""


class Call:
    """A tool call that has begun, with what it takes to tell its continuation from the next call."""

    __slots__ = ("_pieces", "_size", "has_place", "held", "id", "name", "part")

    def __init__(self, part: int, name: str, id: str = "") -> None:
        self.part = part
        self.name = name
        """Empty as long as none came; some servers send it after the id."""
        self.id = id
        self.has_place = False
        """It came with an index."""
        self.held: list[str] = []
        """Arguments that came before the name."""
        self._pieces: list[str] = []
        self._size = 0

    def add(self, arguments: str) -> None:
        self._size += len(arguments)
        if self._size <= _LONGEST_TRIED:
            self._pieces.append(arguments)
        else:
            self._pieces.clear()

    @property
    def has_arguments(self) -> bool:
        return self._size > 0

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are JSON already, so that anything further must belong to another call."""
        if self._size > _LONGEST_TRIED:
            return False
        self._pieces = ["".join(self._pieces)]
        try:
            jsonx.decode_strict(self._pieces[0].encode())
        except JsonError:
            return False
        return True


class Calls:
    """The calls of one answer.

    A known id says it. A new id opens a call, unless the delta has no name while there is a call at its index: some
    servers give their id late, or a new one to every piece. Without an id, a delta goes to the call of its index, else
    to the one opened last. With a name it opens a call nevertheless when its index is new, or when the call it would
    go to has another name or is whole.
    """

    def __init__(self) -> None:
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._last: Call | None = None

    def find(self, delta: WireToolDelta) -> Call | None:
        """None when this delta opens a new call."""
        name = (delta.function.name if delta.function else "") or ""
        here = None if delta.index is None else self._by_index.get(delta.index)
        if delta.id:
            known = self._by_id.get(delta.id)
            # An id used twice: another place and a name of its own make it another call.
            is_another = known is not None and bool(name) and bool(known.name) and here is None and known.has_place
            if known is not None and not (is_another and delta.index is not None):
                return known
            return here if here is not None and (not name or not here.name) else None
        found = here or self._last
        if found is not None and not found.name:
            return found
        if found is None or not name:
            return found
        is_elsewhere = delta.index is not None and here is None
        return None if is_elsewhere or name != found.name or found.is_whole else found

    def is_used(self, call_id: str) -> bool:
        """Whether a call of this answer bears that id."""
        return call_id in self._by_id

    def remember(self, delta: WireToolDelta, call: Call) -> None:
        if delta.id:
            self._by_id[delta.id] = call
        if delta.index is not None:
            self._by_index[delta.index] = call
            call.has_place = True
        self._last = call
