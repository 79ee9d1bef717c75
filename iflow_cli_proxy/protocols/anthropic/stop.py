"""Why an answer ended, in Anthropic's words and in ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason
from iflow_cli_proxy.core.jsonx import Json

_REASONS: Final = {
    "end_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
    "refusal": StopReason.CONTENT_FILTER,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "pause_turn": StopReason.OTHER,
    "compaction": StopReason.OTHER,
}
"""Every documented word."""
_WORDS: Final = {
    StopReason.END_TURN: "end_turn",
    StopReason.MAX_TOKENS: "max_tokens",
    StopReason.STOP_SEQUENCE: "stop_sequence",
    StopReason.TOOL_USE: "tool_use",
    StopReason.CONTENT_FILTER: "refusal",
    StopReason.OTHER: "end_turn",
}


def decode_stop(word: str, stop_sequence: str) -> ChoiceEnded:
    """A word that a reason cannot carry alone is kept."""
    reason = _REASONS.get(word, StopReason.OTHER)
    return ChoiceEnded(reason=reason, stop_sequence=stop_sequence, word=word if _WORDS[reason] != word else "")


def encode_stop(reason: StopReason | None, word: str, *, has_calls: bool) -> str:
    """A documented word always: clients in typed languages refuse a whole answer for one they do not know.

    An answer with calls that only says it is over waits for their results, whatever its upstream calls that.
    """
    if reason is not None and _REASONS.get(word) is reason:
        return word
    found = _WORDS[reason or StopReason.END_TURN]
    return "tool_use" if has_calls and found == "end_turn" else found


def hit_sequence(found: str, asked: Mapping[str, Json]) -> str:
    """The sequence that ended an answer, if it is one of the client's: some servers tell their own end marks."""
    wanted = asked.get("stop_sequences")
    return found if not isinstance(wanted, list) or found in wanted else ""


def unsaid_stop(*, has_calls: bool) -> ChoiceEnded:
    """For an answer that was ended in due form without a reason."""
    return ChoiceEnded(reason=StopReason.TOOL_USE if has_calls else StopReason.END_TURN)
