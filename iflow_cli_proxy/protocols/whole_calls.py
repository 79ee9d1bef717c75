"""Streams for protocols that show a tool call only when it is whole, with its arguments as an object.

Until a call has ended, what follows it in the same answer waits, so that the parts keep their order. Refuses to know
how anything is written.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Delta, PartEnded, PartKind, PartStarted, Sealed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import mended_arguments

_UNREADABLE: Final = "arguments"


def arguments_object(text: str) -> dict[str, Json]:
    """A call's argument text as an object; what is none, even when mended, becomes the value of `arguments`."""
    try:
        value = jsonx.decode_strict((mended_arguments(text) or "").encode("utf-8", "replace"))
    except JsonError:
        value = text
    if value is None:
        return {}
    return value if isinstance(value, dict) else {_UNREADABLE: value}


def arguments_text(value: Json) -> str:
    """The reverse: compact JSON; nothing for an object with nothing in it."""
    return jsonx.encode(value).decode() if value else ""


class HeldPart:
    """A tool call, or a part that has to wait behind one."""

    __slots__ = ("is_ended", "seals", "started", "texts")

    def __init__(self, started: PartStarted) -> None:
        self.started = started
        self.texts: list[str] = []
        self.seals: dict[str, str] = {}
        self.is_ended = False

    @property
    def is_call(self) -> bool:
        return self.started.kind is PartKind.TOOL_CALL

    @property
    def text(self) -> str:
        return "".join(self.texts)


class HeldParts:
    """What of a stream may not be shown yet. `holds` says of a part whether its events belong here."""

    def __init__(self) -> None:
        self._lines: dict[int, list[HeldPart]] = {}
        """For each answer the parts that wait, the first of which is a call."""
        self._held: dict[int, HeldPart] = {}

    def holds(self, part: int) -> bool:
        return part in self._held

    def start(self, event: PartStarted) -> None:
        line = self._lines.setdefault(event.choice, [])
        if line or event.kind is PartKind.TOOL_CALL:
            self._held[event.part] = part = HeldPart(event)
            line.append(part)

    def add(self, event: Delta) -> None:
        self._held[event.part].texts.append(event.text)

    def seal(self, event: Sealed) -> None:
        seals = self._held[event.part].seals
        seals[event.kind] = seals.get(event.kind, "") + event.value

    def end(self, event: PartEnded) -> list[HeldPart]:
        """What may be shown now, in order. Parts other than calls may go on; they are held no longer."""
        part = self._held[event.part]
        part.is_ended = True
        line = self._lines[part.started.choice]
        free: list[HeldPart] = []
        while line and (line[0].is_ended or not line[0].is_call):
            free.append(line.pop(0))
            del self._held[free[-1].started.part]
        return free
