"""The shapes of OpenAI's Chat Completions on the wire, as far as we look at them.

Requests are checked against `WireRequest` and travel on as they came; fields it does not name are the upstream's
business. Answers decode into Structs that name what we use. Source: OpenAI API reference, "Chat"; the limits are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.checking import MISSING, ImageUrl, ModelName, Name, Penalty, Temperature, Tokens, TopP

PROTOCOL: Final = "openai_chat"
DONE: Final = b"[DONE]"
"""The data of the frame that ends a stream."""

# --- requests -----------------------------------------------------------------------------------------------------


class WireImage(Struct):
    url: ImageUrl
    detail: str | None = None


class WireAudio(Struct):
    data: str
    format: str


class WireFile(Struct):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class WireContent(Struct):
    """A content part. Parts of a type we do not know are passed on."""

    type: Name
    text: str | None = None
    image_url: WireImage | ImageUrl | None = None
    input_audio: WireAudio | None = None
    file: WireFile | None = None
    refusal: str | None = None

    def __post_init__(self) -> None:
        """A part holds its matter under the name of its type."""
        if self.type in _CONTENT_TYPES and getattr(self, self.type) is None:
            raise ValueError(MISSING.format(self.type))


_CONTENT_TYPES: Final = frozenset({"text", "image_url", "input_audio", "file", "refusal"})


class WireFunction(Struct):
    name: Name
    arguments: Any = None


class WireToolCall(Struct):
    function: WireFunction | None = None
    id: str | None = None
    type: str | None = None


class _Message(Struct, tag_field="role", kw_only=True):
    """What is checked in any message; each role says what it cannot do without."""

    content: str | list[WireContent] | None = None
    name: str | None = None
    tool_calls: Annotated[list[WireToolCall], Meta(max_length=1024)] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    signature: str | None = None
    refusal: str | None = None


class WireSystem(_Message, tag="system", kw_only=True):
    content: str | list[WireContent]


class WireDeveloper(_Message, tag="developer", kw_only=True):
    content: str | list[WireContent]


class WireUser(_Message, tag="user", kw_only=True):
    content: str | list[WireContent]


class WireAssistant(_Message, tag="assistant", kw_only=True):
    """Agents send content `null` or `""` beside calls and thinking; a message must say something in some way."""

    audio: Any = None
    function_call: Any = None

    def __post_init__(self) -> None:
        others = (self.tool_calls, self.reasoning_content, self.refusal, self.audio, self.function_call)
        if self.content is None and not any(others):
            raise ValueError(MISSING.format("content"))


class WireToolResult(_Message, tag="tool", kw_only=True):
    tool_call_id: str


class WireFunctionResult(_Message, tag="function", kw_only=True):
    """The old form of a tool's result: it has the function's name and no id."""


WireMessage: TypeAlias = WireSystem | WireDeveloper | WireUser | WireAssistant | WireToolResult | WireFunctionResult


class WireToolFunction(Struct):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WireTool(Struct):
    """A tool. Types other than `function` are passed on."""

    type: Name
    function: WireToolFunction | None = None

    def __post_init__(self) -> None:
        if self.type == "function" and self.function is None:
            raise ValueError(MISSING.format("function"))


class WireStreamOptions(Struct):
    include_usage: bool | None = None


class WireRequest(Struct):
    model: ModelName
    messages: Annotated[list[WireMessage], Meta(min_length=1, max_length=20_000)]
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    max_new_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: int | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Meta(max_length=64)] | None = None
    tools: Annotated[list[WireTool], Meta(max_length=1024)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


# --- answers ------------------------------------------------------------------------------------------------------


Index = Annotated[int, Meta(ge=0, le=1023)]


class WireFunctionDelta(Struct):
    """`arguments` is JSON text, or (at servers that take the word literally) the object itself."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class WireToolDelta(Struct):
    """A tool call or a piece of one; any of the three that identify it may be missing."""

    index: int | None = None
    id: str | None = None
    function: WireFunctionDelta | None = None


class WireDelta(Struct):
    """A chunk's delta and, at the same time, a whole reply's message."""

    role: str | None = None
    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None
    refusal: str | None = None
    signature: str | None = None
    tool_calls: list[WireToolDelta] | None = None


class WireChoice(Struct):
    """A choice of a chunk (`delta`) or of a whole reply (`message`).

    vLLM (`stop_reason`) and SGLang (`matched_stop`) say which stop sequence was hit.
    """

    stop_reason: Any = None
    matched_stop: Any = None

    index: Index | None = None
    delta: WireDelta | None = None
    message: WireDelta | None = None
    finish_reason: str | None = None


class WireAnswer(Struct):
    """A chunk or a whole reply. What an answer can do without is not worth failing for: `usage` is read with care."""

    id: str | int | None = None
    model: str | None = None
    created: float | str | None = None
    choices: list[WireChoice] | None = None
    usage: Any = None
    error: Any = None


class ProbeChoice(Struct):
    index: Index | None = None
    finish_reason: str | None = None


class Probe(Struct):
    """The little that a passed-through answer is looked at for. Decoding it also proves that the JSON is whole,
    and costs no more than searching the bytes for `"usage"` (0.2 µs for a chunk of 180 bytes)."""

    choices: list[ProbeChoice] | None = None
    usage: Any = None
    error: Any = None


MODELLED_ANSWER: Final = frozenset({"id", "object", "model", "created", "choices", "usage", "error"})
MODELLED_CHOICE: Final = frozenset({"index", "delta", "message", "finish_reason"})
MODELLED_DELTA: Final = frozenset(
    {"role", "content", "reasoning_content", "reasoning", "reasoning_details", "refusal", "signature", "tool_calls"}
)

decode_answer: Final = jsonx.typed(WireAnswer)
decode_probe: Final = jsonx.typed(Probe)
