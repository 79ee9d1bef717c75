"""The shapes of Google's Gemini API on the wire, as far as we look at them.

Requests are checked in the spelling that `spelling.py` gives them. Source: Gemini API reference, "GenerateContent";
the limits are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.checking import ModelName, Name, Penalty, Temperature, TopP

PROTOCOL: Final = "gemini"

# --- requests -----------------------------------------------------------------------------------------------------

Role = Annotated[str, Meta(pattern=r"^(user|model|function|system|tool)?\Z")]
Tokens = Annotated[int, Meta(ge=0, le=10_000_000)]
Uri = Annotated[str, Meta(pattern=r"^(?i:https?://|gs://|data:)")]


class WireBlob(Struct, rename="camel"):
    data: str
    mime_type: Name


class WireFileData(Struct, rename="camel"):
    file_uri: Uri
    mime_type: str | None = None


class WireFunctionCall(Struct):
    name: Name
    id: str | None = None
    args: dict[str, Any] | None = None


class WireResponsePart(Struct, rename="camel"):
    inline_data: WireBlob | None = None
    file_data: WireFileData | None = None


class WireFunctionResponse(Struct):
    """`response` is an object; some clients write its text alone."""

    name: str = ""
    id: str | None = None
    response: dict[str, Any] | str | list[Any] | None = None
    parts: list[WireResponsePart] | None = None


class WirePart(Struct, rename="camel"):
    """A part. What it holds under names we do not know is passed on."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: WireBlob | None = None
    file_data: WireFileData | None = None
    function_call: WireFunctionCall | None = None
    function_response: WireFunctionResponse | None = None


class WireContent(Struct):
    parts: Annotated[list[WirePart], Meta(max_length=20_000)] | None = None
    role: Role | None = None


class WireDeclaration(Struct, rename="camel"):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None


class WireTool(Struct, rename="camel"):
    """Functions, or one of Google's own tools under its name."""

    function_declarations: Annotated[list[WireDeclaration], Meta(max_length=1024)] | None = None


class WireCallingConfig(Struct, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[Name] | None = None


class WireToolConfig(Struct, rename="camel"):
    function_calling_config: WireCallingConfig | None = None


class WireThinkingConfig(Struct, rename="camel"):
    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, Meta(ge=-1, le=10_000_000)] | None = None
    thinking_level: str | None = None


class WireGenerationConfig(Struct, rename="camel"):
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    max_output_tokens: Tokens | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=64)] | None = None
    candidate_count: Annotated[int, Meta(ge=1, le=128)] | None = None
    seed: int | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None
    thinking_config: WireThinkingConfig | None = None


class WireRequest(Struct, rename="camel"):
    """`model` stands in the path; only requests inside other requests have it here."""

    contents: Annotated[list[WireContent], Meta(min_length=1, max_length=20_000)]
    model: ModelName | None = None
    system_instruction: WireContent | None = None
    tools: Annotated[list[WireTool], Meta(max_length=1024)] | None = None
    tool_config: WireToolConfig | None = None
    generation_config: WireGenerationConfig | None = None
    cached_content: str | None = None


# --- answers ------------------------------------------------------------------------------------------------------

Index = Annotated[int, Meta(ge=0, le=1023)]


class AnswerCall(Struct):
    name: str = ""
    id: str | None = None
    args: dict[str, Any] | None = None


class AnswerPart(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: AnswerCall | None = None


class AnswerContent(Struct):
    parts: list[AnswerPart] | None = None


class Candidate(Struct, rename="camel"):
    index: Index | None = None
    content: AnswerContent | None = None
    finish_reason: str | None = None


class Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class Answer(Struct, rename="camel"):
    """A chunk or a whole reply. What an answer can do without is not worth failing for: usage is read with care."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Any = None
    response_id: str | None = None
    model_version: str | None = None
    create_time: Any = None
    error: Any = None


class ProbeCandidate(Struct, rename="camel"):
    index: Index | None = None
    finish_reason: str | None = None


class Probe(Struct, rename="camel"):
    """The little that a passed-through answer is looked at for."""

    candidates: list[ProbeCandidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Any = None
    error: Any = None


MODELLED_ANSWER: Final = frozenset({"candidates", "usageMetadata", "responseId", "modelVersion", "createTime", "error"})
MODELLED_CANDIDATE: Final = frozenset({"index", "content", "finishReason"})

decode_answer: Final = jsonx.typed(Answer)
decode_probe: Final = jsonx.typed(Probe)
