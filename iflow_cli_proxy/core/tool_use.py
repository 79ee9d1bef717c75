"""Why an answer ended, where the upstream's word for it hides that tools are to be used.

Agents look at the stop reason to know whether they go on; some servers say `stop` after a tool call.
"""

from __future__ import annotations

from typing import Final

import msgspec

from iflow_cli_proxy.core.events import ChoiceEnded, Event, PartKind, PartStarted, StopReason

_HIDES_IT: Final = (StopReason.END_TURN, StopReason.OTHER)


class ToolUseSaid:
    """A stage over events: an answer with a tool call that ended well has ended for that call."""

    def __init__(self) -> None:
        self._calling: set[int] = set()

    def feed(self, event: Event, /) -> list[Event]:
        if isinstance(event, PartStarted) and event.kind is PartKind.TOOL_CALL:
            self._calling.add(event.choice)
        elif isinstance(event, ChoiceEnded) and event.choice in self._calling and event.reason in _HIDES_IT:
            return [msgspec.structs.replace(event, reason=StopReason.TOOL_USE, word="")]
        return [event]

    def close(self) -> list[Event]:
        return []
