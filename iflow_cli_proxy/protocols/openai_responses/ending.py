"""Why an answer ended: the status of a response and its details, and our words."""

from __future__ import annotations

from typing import Final, NamedTuple

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason
from iflow_cli_proxy.core.jsonx import Json

COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"
_REASONS: Final = {
    "max_output_tokens": StopReason.MAX_TOKENS,
    "content_filter": StopReason.CONTENT_FILTER,
}
_WORDS: Final = {reason: word for word, reason in _REASONS.items()}


_UNTOLD: Final = "unknown"
"""Why an answer ended that does not say so: it may be whole, but nobody promised."""


class Ending(NamedTuple):
    status: str
    details: Json = None

    @property
    def is_complete(self) -> bool:
        return self.status == COMPLETED


def decode_ending(status: Json, details: Json, *, has_calls: bool) -> ChoiceEnded:
    """A complete answer does not say whether it waits for tools: its calls do."""
    if status != INCOMPLETE:
        return ChoiceEnded(reason=StopReason.TOOL_USE if has_calls else StopReason.END_TURN)
    word = word_of(details)
    reason = _REASONS.get(word, StopReason.OTHER)
    return ChoiceEnded(reason=reason, word=word if reason is StopReason.OTHER else "")


def word_of(details: Json) -> str:
    """Why a response is incomplete, in the upstream's word."""
    word = details.get("reason") if isinstance(details, dict) else None
    return word if isinstance(word, str) and word else INCOMPLETE


def encode_ending(reason: StopReason | None, word: str) -> Ending:
    """A word that nobody knows is passed on as what kept the answer from being complete."""
    if reason is None:
        return Ending(INCOMPLETE, {"reason": _UNTOLD})
    if reason is StopReason.OTHER and word:
        return Ending(INCOMPLETE, {"reason": word})
    if reason in _WORDS:
        return Ending(INCOMPLETE, {"reason": _WORDS[reason]})
    return Ending(COMPLETED)
