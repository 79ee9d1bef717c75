"""How much is to be thought, and earlier thinking where an upstream looks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

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
_USUAL_THOUGHT: Final = "reasoning_content"
_OTHER_FIELDS: Final = ("reasoning", "reasoning_details")


def with_thinking(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """The wish in the one word that Chat Completions has, and earlier thinking as the upstream wants it."""
    thinking = request.thinking
    effort = _EFFORTS.get(thinking.effort, thinking.effort) or _effort_of(thinking)
    if effort and (profile.effort is False or (effort == "none" and not profile.effort_none)):
        notes.append(Note("thinking", "the upstream has no say in how much is thought"))
        effort = ""
    request = msgspec.structs.replace(request, thinking=msgspec.structs.replace(thinking, effort=effort))
    match profile.wants_reasoning_back:
        case True:
            return msgspec.structs.replace(request, messages=tuple(_with_thought(one) for one in request.messages))
        case False:
            keep = tuple(_without_thought(one) for one in request.messages)
            return msgspec.structs.replace(request, messages=keep)
        case None:
            return request


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


def given_back(fields: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Chat Completions fields with earlier thinking where this upstream looks for it."""
    if profile.reasoning_field not in _OTHER_FIELDS:
        return fields
    return {**fields, "messages": [_moved(message, profile.reasoning_field) for message in fields["messages"]]}


def _moved(message: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    if _USUAL_THOUGHT not in message:
        return message
    others = {name: value for name, value in message.items() if name not in (_USUAL_THOUGHT, "signature")}
    thought, signature = message[_USUAL_THOUGHT], message.get("signature")
    if field == "reasoning":
        return {**others, field: thought} | ({"signature": signature} if signature else {})
    detail = {"type": "reasoning.text", "text": thought} | ({"signature": signature} if signature else {})
    return {**others, field: [detail]}
