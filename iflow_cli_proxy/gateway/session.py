"""Which conversation a request belongs to, as far as the client says so."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json

_HEADERS: Final = (
    "x-conversation-id",
    "conversation-id",
    "x-session-id",
    "session-id",
    "x-claude-code-session-id",
    "x-session-affinity",
)
"""Names that agents use, most specific first (agents reference)."""
_TURNS: Final = ("messages", "contents", "input")
"""Where the protocols keep a conversation."""
_CONTENT: Final = ("content", "parts")
"""Where they keep what a message says."""
_USER: Final = "user"
_METADATA: Final = ("conversation_id", "session_id", "user_id")
_LONGEST: Final = 256


def conversation_of(headers: Mapping[str, str], body: Json) -> str:
    """The client's own id of its conversation, empty when it gives none. Only ever hashed or compared."""
    for name in _HEADERS:
        if value := headers.get(name):
            return value[:_LONGEST]
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        for name in _METADATA:
            if isinstance(value := metadata.get(name), str) and value:
                return value[:_LONGEST]
    key = body.get("prompt_cache_key")
    return key[:_LONGEST] if isinstance(key, str) else ""


def session_of(conversation: str, body: Json) -> str:
    """What a conversation keeps its account by, so that prompt caches survive: the client's own id, else a digest of
    what does not change from turn to turn."""
    if conversation:
        return conversation
    messages = next((body[name] for name in _TURNS if name in body), None)
    if isinstance(messages, str):
        messages = [{"role": _USER, "content": messages}]
    if not isinstance(messages, list) or not messages:
        return ""
    first_question = next((at for at, one in enumerate(messages) if _role_of(one) == _USER), 0)
    stable = [(_role_of(one), _said(one)) for one in messages[: first_question + 1]]
    return sha256(jsonx.encode([body.get("model"), stable])).hexdigest()


def _role_of(message: Json) -> Json:
    return message.get("role") if isinstance(message, dict) else None


def _said(message: Json) -> list[Json]:
    """What a message says, without what may come and go from turn to turn: its id, or a mark for the prompt cache."""
    if not isinstance(message, dict):
        return [message]
    content = next((message[name] for name in _CONTENT if name in message), None)
    return [_words_of(part) for part in content] if isinstance(content, list) else [content]


def _words_of(part: Json) -> Json:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else part
