"""Why an answer ended, in Ollama's words (`done_reason`) and in ours."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason

_STOP: Final = "stop"
_LENGTH: Final = "length"
_OTHER: Final = "other"


def decode_stop(word: str, *, has_calls: bool) -> ChoiceEnded:
    """`stop` is also said where calls wait for their results."""
    if word == _LENGTH:
        return ChoiceEnded(reason=StopReason.MAX_TOKENS)
    if word != _STOP:
        return ChoiceEnded(reason=StopReason.OTHER, word=word)
    return ChoiceEnded(reason=StopReason.TOOL_USE if has_calls else StopReason.END_TURN)


def encode_stop(reason: StopReason, word: str) -> str:
    """Clients know two words, and show the others as they are: what ended for a reason nobody here knows is not
    called well ended, but what the upstream called it."""
    match reason:
        case StopReason.MAX_TOKENS:
            return _LENGTH
        case StopReason.OTHER:
            return word or _OTHER
        case _:
            return _STOP
