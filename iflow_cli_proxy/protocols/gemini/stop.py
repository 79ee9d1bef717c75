"""Why an answer ended, in Gemini's words and in ours. Source: Gemini API reference, "FinishReason"."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason

_WORDS: Final = {
    StopReason.END_TURN: "STOP",
    StopReason.STOP_SEQUENCE: "STOP",
    StopReason.TOOL_USE: "STOP",
    StopReason.MAX_TOKENS: "MAX_TOKENS",
    StopReason.CONTENT_FILTER: "SAFETY",
    StopReason.OTHER: "OTHER",
}
_FILTERED: Final = frozenset(
    {
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION", "MODEL_ARMOR",
    }
)  # fmt: skip
_OTHERS: Final = frozenset(
    {
        "OTHER", "LANGUAGE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED",
    }
)  # fmt: skip


def decode_stop(word: str, choice: int, *, has_calls: bool) -> ChoiceEnded:
    """Gemini says `STOP` also where it stopped to have its calls answered."""
    match word:
        case "STOP":
            reason = StopReason.TOOL_USE if has_calls else StopReason.END_TURN
        case "MAX_TOKENS":
            reason = StopReason.MAX_TOKENS
        case _ if word in _FILTERED:
            reason = StopReason.CONTENT_FILTER
        case _:
            reason = StopReason.OTHER
    return ChoiceEnded(choice=choice, reason=reason, word=word if _WORDS[reason] != word else "")


def encode_stop(reason: StopReason, word: str) -> str:
    """The upstream's own word only where it is one of Gemini's and means the same: clients know no others."""
    own = {StopReason.CONTENT_FILTER: _FILTERED, StopReason.OTHER: _OTHERS}.get(reason, frozenset())
    return word if word in own else _WORDS[reason]
