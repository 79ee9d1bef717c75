"""Why an answer ended: the words of OpenAI's Chat Completions and of its older Completions, and ours."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason

_REASONS: Final = {
    "stop": StopReason.END_TURN,
    "length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
    "content_filter": StopReason.CONTENT_FILTER,
    "sensitive": StopReason.CONTENT_FILTER,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
}
"""OpenAI's own, and two of Zhipu's (API reference, "finish_reason")."""
_WORDS: Final = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.TOOL_USE: "tool_calls",
    StopReason.CONTENT_FILTER: "content_filter",
    StopReason.OTHER: "stop",
}


def decode_stop(word: str, choice: int, stop_sequence: str = "") -> ChoiceEnded:
    """A word we do not know is kept, so that the same protocol can say it again."""
    reason = _REASONS.get(word, StopReason.OTHER)
    if reason is StopReason.END_TURN and stop_sequence:
        return ChoiceEnded(choice=choice, reason=StopReason.STOP_SEQUENCE, stop_sequence=stop_sequence)
    return ChoiceEnded(choice=choice, reason=reason, word=word if _WORDS[reason] != word else "")


def encode_stop(reason: StopReason, word: str) -> str:
    """The upstream's own word where it says the same in this protocol, or where we have nothing better to say."""
    if word and (reason is StopReason.OTHER or _REASONS.get(word) is reason):
        return word
    return _WORDS[reason]
