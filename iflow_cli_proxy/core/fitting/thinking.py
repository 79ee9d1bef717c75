"""How much is to be thought, and earlier thinking where an upstream looks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from iflow_cli_proxy.core.fitting.parts import CHAT
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Message,
    Reasoning,
    Thinking,
    ToolCall,
)

_BUDGETS: Final = ((2_048, "low"), (12_288, "medium"))
"""Thinking tokens up to which an effort is what its word says; beyond the last it is high."""
_HIGH: Final = "high"
_EFFORTS: Final = {"max": _HIGH}
"""Words of others that Chat Completions does not have (OpenAI API reference, `reasoning_effort`)."""
_DETAILS: Final = "reasoning_details"
_OTHER_FIELDS: Final = ("reasoning", _DETAILS)


def with_thinking(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """The wish in the one word that Chat Completions has, and earlier thinking as the upstream wants it."""
    thinking = request.thinking
    effort = _EFFORTS.get(thinking.effort, thinking.effort) or _effort_of(thinking)
    if effort and (profile.effort is False or (effort == "none" and not profile.effort_none)):
        notes.append(Note("thinking", "the upstream has no say in how much is thought"))
        effort = ""
    request = msgspec.structs.replace(request, thinking=msgspec.structs.replace(thinking, effort=effort))
    return msgspec.structs.replace(request, messages=tuple(_as_wanted(one, profile) for one in request.messages))


def _as_wanted(message: Message, profile: Profile) -> Message:
    """A turn with its thinking where this upstream looks for it."""
    match profile.wants_reasoning_back:
        case True:
            message = _with_thought(message)
        case False:
            return _without_thought(message)
        case None:
            pass
    return _elsewhere(message, profile.reasoning_field) if profile.reasoning_field in _OTHER_FIELDS else message


def _effort_of(thinking: Thinking) -> str:
    if thinking.is_on is False:
        return "none"
    if thinking.budget is None or thinking.budget < 0:
        return ""
    if not thinking.budget:
        return "none"
    return next((word for most, word in _BUDGETS if thinking.budget <= most), _HIGH)


def _with_thought(message: Message) -> Message:
    """A turn that calls tools has thought something, be it nothing that the client has kept, or only a seal of it."""
    has_call = any(isinstance(part, ToolCall) for part in message.parts)
    if not has_call or any(isinstance(part, Reasoning) and part.text for part in message.parts):
        return message
    return msgspec.structs.replace(message, parts=(Reasoning(text=" "), *message.parts))


def _without_thought(message: Message) -> Message:
    kept = tuple(part for part in message.parts if not isinstance(part, Reasoning))
    return message if len(kept) == len(message.parts) else msgspec.structs.replace(message, parts=kept)


def _elsewhere(message: Message, field: str) -> Message:
    """Thinking in the upstream's own field, with everything that seals it where the field has room for that."""
    thoughts = [part for part in message.parts if isinstance(part, Reasoning)]
    if not thoughts:
        return message
    written: Json = "".join(thought.text for thought in thoughts)
    if field == _DETAILS:
        written = [detail for thought in thoughts for detail in _details(thought)]
    own = {**message.extras.get(CHAT, {}), field: written}
    plain = _without_thought(message)
    return msgspec.structs.replace(plain, extras={**message.extras, CHAT: own})


def _details(thought: Reasoning) -> Iterator[dict[str, Json]]:
    signature = thought.seals.get("signature")
    if thought.text or signature:
        yield {"type": "reasoning.text", "text": thought.text} | ({"signature": signature} if signature else {})
    if data := thought.seals.get("encrypted"):
        yield {"type": "reasoning.encrypted", "data": data}
