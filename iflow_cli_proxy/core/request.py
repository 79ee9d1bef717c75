"""What a caller asks for, in no vendor's words.

Requests are decoded to this form only when the two sides speak different protocols; between equals the body's own
fields travel on. `extras` hold what we do not model, keyed by the protocol it came in and may return to.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from iflow_cli_proxy.core.repair import Note


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class _Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", omit_defaults=True):
    pass


class Text(_Part, frozen=True, kw_only=True, tag="text"):
    text: str


class Image(_Part, frozen=True, kw_only=True, tag="image"):
    """Either a `url` or base64 `data` with its `media_type`."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""


class File(_Part, frozen=True, kw_only=True, tag="file"):
    """A document: base64 `data`, a `url`, or a `file_id` the upstream knows."""

    name: str = ""
    url: str = ""
    data: str = ""
    media_type: str = ""
    file_id: str = ""


class Audio(_Part, frozen=True, kw_only=True, tag="audio"):
    data: str
    format: str


class Reasoning(_Part, frozen=True, kw_only=True, tag="reasoning"):
    """An earlier turn's thinking, given back; `seals` are its signatures, untouched."""

    text: str = ""
    seals: Mapping[str, str] = {}


class Refusal(_Part, frozen=True, kw_only=True, tag="refusal"):
    text: str


class ToolCall(_Part, frozen=True, kw_only=True, tag="tool_call"):
    """`arguments` is JSON text as the model wrote it, valid or not."""

    id: str
    name: str
    arguments: str = ""


class ToolResult(_Part, frozen=True, kw_only=True, tag="tool_result"):
    """`parts` may hold text and images."""

    call_id: str
    parts: tuple[Text | Image, ...] = ()
    is_error: bool = False


class Opaque(_Part, frozen=True, kw_only=True, tag="opaque"):
    """A part we have no word for, as `protocol` wrote it; it returns only to that protocol."""

    protocol: str
    value: Mapping[str, Any]


Part: TypeAlias = Text | Image | File | Audio | Reasoning | Refusal | ToolCall | ToolResult | Opaque


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    role: Role
    parts: tuple[Part, ...] = ()
    name: str = ""
    extras: Mapping[str, Mapping[str, Any]] = {}


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function the model may call; `parameters` is a JSON schema, None when it takes none."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    is_strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`mode` is auto, none, required or function (then `name` says which)."""

    mode: str
    name: str = ""


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """None means that the caller did not say."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1


class Thinking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much to think: an `effort` word, a `budget` in tokens, or only whether; None means unsaid."""

    is_on: bool | None = None
    effort: str = ""
    budget: int | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    messages: tuple[Message, ...]
    is_stream: bool = False
    wants_usage: bool = False
    """A stream should end with its usage."""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice | None = None
    allows_parallel_calls: bool | None = None
    sampling: Sampling = Sampling()
    thinking: Thinking = Thinking()
    response_format: Mapping[str, Any] | None = None
    """`{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {...}}`, as OpenAI words it."""
    user: str = ""
    metadata: Mapping[str, Any] | None = None
    extras: Mapping[str, Mapping[str, Any]] = {}
    notes: tuple[Note, ...] = ()
    """What the client asked for and no canonical word says, as in a hosted tool that was dropped."""
