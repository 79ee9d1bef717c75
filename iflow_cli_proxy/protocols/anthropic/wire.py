"""The shapes of Anthropic's Messages on the wire, as far as we look at them.

Requests are checked against `WireRequest`, their content blocks against `BLOCKS`; blocks of a type that is not there,
and fields that no shape names, are tolerated. Answers decode into Structs that name what we use. Source: Anthropic API
reference, "Messages"; the limits are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.checking import MISSING, ImageUrl, ModelName, Name, Temperature, Tokens, TopP

PROTOCOL: Final = "anthropic"

# --- requests -----------------------------------------------------------------------------------------------------

Block: TypeAlias = dict[str, Any]
Blocks: TypeAlias = list[Block]


class WireMessage(Struct):
    """`system` stands among the others by the beta mid-conversation-system-2026-04-07."""

    role: Literal["user", "assistant", "system"]
    content: str | Blocks


class WireTool(Struct):
    """A tool. Only those of no type, or of type `custom`, are the client's own."""

    name: Name | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None

    def __post_init__(self) -> None:
        if self.type in (None, CUSTOM) and self.name is None:
            raise ValueError(MISSING.format("name"))


class WireToolChoice(Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None

    def __post_init__(self) -> None:
        if self.type == "tool" and self.name is None:
            raise ValueError(MISSING.format("name"))


class WireThinking(Struct):
    type: Name
    budget_tokens: Tokens | None = None


class WireFormat(Struct):
    type: Name
    schema: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.type == JSON_SCHEMA and self.schema is None:
            raise ValueError(MISSING.format("schema"))


class WireOutputConfig(Struct):
    effort: str | None = None
    format: WireFormat | None = None


class WireMetadata(Struct):
    user_id: str | None = None


class WireRequest(Struct):
    """Anthropic wants `max_tokens`; we can do without."""

    model: ModelName
    messages: Annotated[list[WireMessage], Meta(min_length=1, max_length=20_000)]
    system: str | Blocks | None = None
    max_tokens: Tokens | None = None
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: int | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=64)] | None = None
    tools: Annotated[list[WireTool], Meta(max_length=1024)] | None = None
    tool_choice: WireToolChoice | None = None
    thinking: WireThinking | None = None
    output_config: WireOutputConfig | None = None
    output_format: WireFormat | None = None
    metadata: WireMetadata | None = None


CUSTOM: Final = "custom"
JSON_SCHEMA: Final = "json_schema"


# --- content blocks -----------------------------------------------------------------------------------------------


class WireSource(Struct):
    """Where an image or a document is; each type has what it cannot do without."""

    type: Name
    media_type: str | None = None
    data: str | None = None
    url: ImageUrl | None = None
    file_id: str | None = None
    content: str | Blocks | None = None

    def __post_init__(self) -> None:
        for name in _SOURCE_FIELDS.get(self.type, ()):
            if getattr(self, name) is None:
                raise ValueError(MISSING.format(name))


_SOURCE_FIELDS: Final = {
    "base64": ("media_type", "data"),
    "text": ("data",),
    "url": ("url",),
    "file": ("file_id",),
    "content": ("content",),
}


class WireText(Struct):
    text: str


class WireImage(Struct):
    source: WireSource


class WireDocument(Struct):
    source: WireSource
    title: str | None = None
    context: str | None = None


class WireSearchResult(Struct):
    content: Blocks
    source: str | None = None
    title: str | None = None


class WireThinkingBlock(Struct):
    thinking: str
    signature: str | None = None


class WireRedactedThinking(Struct):
    data: str


class WireToolUse(Struct):
    id: str
    name: Name
    input: dict[str, Any] | None = None


class WireToolResult(Struct):
    tool_use_id: str
    content: str | Blocks | None = None
    is_error: bool | None = None


BLOCKS: Final[dict[str, type[Struct]]] = {
    "text": WireText,
    "image": WireImage,
    "document": WireDocument,
    "search_result": WireSearchResult,
    "thinking": WireThinkingBlock,
    "redacted_thinking": WireRedactedThinking,
    "tool_use": WireToolUse,
    "tool_result": WireToolResult,
}


# --- answers ------------------------------------------------------------------------------------------------------


class WireReplyBlock(Struct):
    """A block of an answer, whole or as it begins. Types we do not know have their fields under other names."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class WireReply(Struct):
    """A whole answer."""

    content: list[WireReplyBlock]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Any = None
    error: Any = None


class WireHead(Struct):
    """The `message` of message_start."""

    id: str | None = None
    model: str | None = None
    usage: Any = None


class WireDelta(Struct):
    """What is new, in a block or (the last two) in the message."""

    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class WireEvent(Struct):
    """Any event of a stream; `type` says the same as the frame's event name."""

    type: str
    index: int | None = None
    message: WireHead | None = None
    content_block: WireReplyBlock | None = None
    delta: WireDelta | None = None
    usage: Any = None


MODELLED_MESSAGE: Final = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "error"}
)
MODELLED_END: Final = frozenset({"type", "delta", "usage", "index"})
"""Fields of message_delta itself; what it holds in `delta` is the message's."""

decode_whole: Final = jsonx.typed(WireReply)
decode_event: Final = jsonx.typed(WireEvent)
