"""Ids for tool calls and results, in protocols that let them go without.

A result that names no id answers the first call of its function that waits for an answer. Ids that are made up here
can be told from others, so that they never go back to a protocol that can do without.
"""

from __future__ import annotations

from typing import Final

_MADE_UP: Final = "call_unnamed_"


def is_made_up(call_id: str) -> bool:
    return call_id.startswith(_MADE_UP)


class CallIds:
    """The calls of one conversation, in the order in which they and their results are read."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str]] = []
        """Id and function of every call that has no result yet."""
        self._names: dict[str, str] = {}
        self._count = 0

    def call(self, call_id: str, name: str) -> str:
        """The id of a call: its own, or one made up of its number."""
        call_id = call_id or self._make_up()
        self._waiting.append((call_id, name))
        self._names[call_id] = name
        return call_id

    def result(self, call_id: str, name: str) -> str:
        """The id of the call that a result answers; one of its own when there is no such call."""
        found = self._find(call_id, name)
        if found is None:
            return call_id or self._make_up()
        self._waiting.remove(found)
        return found[0]

    def name_of(self, call_id: str) -> str:
        """Which function was called; empty when nobody knows."""
        return self._names.get(call_id, "")

    def _find(self, call_id: str, name: str) -> tuple[str, str] | None:
        """By id; then by name among the calls that came without one; a result without either takes the oldest."""
        for waiting in self._waiting:
            if call_id and waiting[0] == call_id:
                return waiting
        for waiting in self._waiting:
            if (not call_id or is_made_up(waiting[0])) and name in (waiting[1], ""):
                return waiting
        return None

    def _make_up(self) -> str:
        self._count += 1
        return f"{_MADE_UP}{self._count}"
