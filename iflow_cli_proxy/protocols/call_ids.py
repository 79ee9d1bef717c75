"""Ids for tool calls and results, in protocols that let them go without.

A result that names no id answers the first call of its function that waits for an answer. Ids that are made up here
can be told from others, so that they never go back to a protocol that can do without.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final, TypeAlias

_MADE_UP: Final = "call_unnamed_"
_ANY: Final = ""
"""Stands for every function in a queue's key; a call of a function without a name is found by it as well."""

_Key: TypeAlias = tuple[str, str]
_BY_ID: Final = "id"
_BY_NAME: Final = "name"
_UNNAMED: Final = "made up"


def is_made_up(call_id: str) -> bool:
    return call_id.startswith(_MADE_UP)


class _Call:
    __slots__ = ("id", "is_answered")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.is_answered = False


class CallIds:
    """The calls of one conversation, in the order in which they and their results are read.

    A call stands in a queue for each way of asking for it; one that was answered leaves each when it gets to its head,
    so that a conversation of 20,000 calls takes no longer than its length.
    """

    def __init__(self) -> None:
        self._waiting: defaultdict[_Key, deque[_Call]] = defaultdict(deque)
        self._names: dict[str, str] = {}
        self._count = 0

    def call(self, call_id: str, name: str) -> str:
        """The id of a call: its own, or one made up of its number."""
        call_id = call_id or self._make_up()
        self._names[call_id] = name
        kinds = (_BY_NAME, _UNNAMED) if is_made_up(call_id) else (_BY_NAME,)
        call = _Call(call_id)
        for key in {(_BY_ID, call_id), *((kind, one) for kind in kinds for one in (name, _ANY))}:
            self._waiting[key].append(call)
        return call_id

    def result(self, call_id: str, name: str) -> str:
        """The id of the call that a result answers; one of its own when there is no such call."""
        found = self._find(call_id, name)
        if found is None:
            return call_id or self._make_up()
        found.is_answered = True
        return found.id

    def name_of(self, call_id: str) -> str:
        """Which function was called; empty when nobody knows."""
        return self._names.get(call_id, "")

    def _find(self, call_id: str, name: str) -> _Call | None:
        """By id; then by name among the calls that came without one; a result without either takes the oldest."""
        if not call_id:
            return self._first((_BY_NAME, name))
        return self._first((_BY_ID, call_id)) or self._first((_UNNAMED, name))

    def _first(self, key: _Key) -> _Call | None:
        queue = self._waiting.get(key)
        while queue and queue[0].is_answered:
            queue.popleft()
        return queue[0] if queue else None

    def _make_up(self) -> str:
        self._count += 1
        return f"{_MADE_UP}{self._count}"
