"""The shapes of OpenAI's Responses on the wire, as far as we look at them.

A request is checked here and travels on as it came; fields, items and tools of a kind we do not know are the upstream's
business. Source: OpenAI API reference, "Responses"; the limits are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.protocols.checking import MISSING, ImageUrl, ModelName, Name, Temperature, Tokens, TopP

PROTOCOL: Final = "openai_responses"

MOST_ITEMS: Final = 20_000
Items = Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MOST_ITEMS)]
WebUrl = Annotated[str, Meta(pattern=r"^(?i:https?://)")]


class WireAudio(Struct):
    data: str
    format: str


class WirePart(Struct):
    """A content part of a message or of a tool's output. Parts of a type we do not know are passed on."""

    type: Name
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None
    detail: str | None = None
    input_audio: WireAudio | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: WebUrl | None = None
    filename: str | None = None

    def __post_init__(self) -> None:
        """A part holds its matter under one of the names of its type."""
        names = _MATTER.get(self.type, ())
        if names and all(getattr(self, name) is None for name in names):
            raise ValueError(MISSING.format(names[0]))


_MATTER: Final = {
    "input_text": ("text",),
    "output_text": ("text",),
    "text": ("text",),
    "refusal": ("refusal",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_id", "file_url"),
    "input_audio": ("input_audio",),
}


class WireMessage(Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[WirePart]


class WireFunctionCall(Struct):
    call_id: str
    name: Name
    arguments: str
    namespace: str | None = None


class WireCustomCall(Struct):
    call_id: str
    name: Name
    input: str
    namespace: str | None = None


class WireShellCall(Struct):
    action: dict[str, Any]
    call_id: str | None = None
    id: str | None = None


class WireOutput(Struct):
    call_id: str
    output: str | list[WirePart]


class WireShellOutput(Struct):
    output: str | list[WirePart]
    call_id: str | None = None
    id: str | None = None


class WireText(Struct):
    text: str


class WireReasoningItem(Struct):
    summary: list[WireText] | None = None
    content: list[WireText] | None = None
    encrypted_content: str | None = None


class WireReference(Struct):
    id: str


ITEMS: Final[Mapping[str, type[Struct]]] = {
    "message": WireMessage,
    "function_call": WireFunctionCall,
    "custom_tool_call": WireCustomCall,
    "local_shell_call": WireShellCall,
    "function_call_output": WireOutput,
    "custom_tool_call_output": WireOutput,
    "local_shell_call_output": WireShellOutput,
    "reasoning": WireReasoningItem,
    "item_reference": WireReference,
}


class WireFunctionTool(Struct):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireFormat(Struct):
    """How a custom tool's input is to look; `syntax` and `definition` belong to a grammar."""

    type: str
    syntax: str | None = None
    definition: str | None = None


class WireCustomTool(Struct):
    name: Name
    description: str | None = None
    format: WireFormat | None = None


class WireNamespace(Struct):
    name: Name
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1024)]
    description: str | None = None


TOOLS: Final[Mapping[str, type[Struct]]] = {
    "function": WireFunctionTool,
    "custom": WireCustomTool,
    "namespace": WireNamespace,
}


class WireReasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class WireTextConfig(Struct):
    format: dict[str, Any] | None = None
    verbosity: str | None = None


class WireRequest(Struct):
    model: ModelName
    input: str | Items
    stream: bool | None = None
    instructions: str | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1024)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: WireReasoning | None = None
    text: WireTextConfig | None = None
    max_output_tokens: Tokens | None = None
    max_tool_calls: Annotated[int, Meta(ge=1)] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    previous_response_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    truncation: str | None = None
    include: list[str] | None = None
    prompt_cache_key: str | None = None
    client_metadata: dict[str, Any] | None = None
    background: bool | None = None
    service_tier: str | None = None
    stream_options: dict[str, Any] | None = None


def type_of(item: Mapping[str, Json]) -> str:
    """Messages may come without their type."""
    kind = item.get("type")
    if kind is None and "role" in item:
        return "message"
    return kind if isinstance(kind, str) else ""


def check_items(items: Sequence[Mapping[str, Json]], path: str) -> None:
    """Raises JsonError naming the path of what is wrong."""
    for at, item in enumerate(items):
        kind = type_of(item)
        if not kind:
            raise JsonError("Field required", f"{path}[{at}].type")
        if shape := ITEMS.get(kind):
            jsonx.convert(item, shape, f"{path}[{at}]")
        if kind == "additional_tools":
            tools = jsonx.convert(item.get("tools") or [], list[dict[str, Any]], f"{path}[{at}].tools")
            check_tools(tools, f"{path}[{at}].tools")


def check_tools(tools: Sequence[Mapping[str, Json]], path: str) -> None:
    """The same for tools, and for those of a namespace."""
    for at, tool in enumerate(tools):
        here, kind = f"{path}[{at}]", tool.get("type")
        if not isinstance(kind, str) or not kind:
            raise JsonError("Field required", f"{here}.type")
        if shape := TOOLS.get(kind):
            jsonx.convert(tool, shape, here)
        if kind == "namespace":
            check_tools(tool["tools"], f"{here}.tools")
