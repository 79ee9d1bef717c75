"""The shapes of Ollama's own API on the wire, as far as we look at them.

Source: Ollama's docs/api.md and its Go types (api/types.go); the limits are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.checking import MISSING, ModelName, Name, Penalty, Temperature, TopP

PROTOCOL: Final = "ollama"

# --- requests -----------------------------------------------------------------------------------------------------

ImageData = Annotated[str, Meta(min_length=1)]
Images = Annotated[list[ImageData], Meta(max_length=1024)]
Whole = int | Annotated[float, Meta(ge=-1e15, le=1e15)]
"""Ollama takes 128.0, and cuts what is behind the point."""

_ADDRESSES: Final = ("http://", "https://")
_NO_ADDRESS: Final = "Expected an image in base64, got an address"


def _check_images(images: list[str] | None) -> None:
    if any(image[:8].lower().startswith(_ADDRESSES) for image in images or ()):
        raise ValueError(_NO_ADDRESS)


class WireFunction(Struct):
    """`arguments` is an object; some clients send its text."""

    name: Name
    arguments: dict[str, Any] | str | None = None


class WireToolCall(Struct):
    function: WireFunction
    id: str | None = None


class WireMessage(Struct):
    role: Name
    content: str | None = None
    thinking: str | None = None
    images: Images | None = None
    tool_calls: Annotated[list[WireToolCall], Meta(max_length=1024)] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)


class WireToolFunction(Struct):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None


class WireTool(Struct):
    """A function. Tools of another type are left out."""

    type: str = "function"
    function: WireToolFunction | None = None

    def __post_init__(self) -> None:
        if self.type == "function" and self.function is None:
            raise ValueError(MISSING.format("function"))


class WireOptions(Struct):
    """`num_predict` below 1 is no limit."""

    num_predict: Whole | None = None
    temperature: Temperature | None = None
    top_k: Whole | None = None
    top_p: TopP | None = None
    seed: Whole | None = None
    stop: str | Annotated[list[str], Meta(max_length=64)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None


class _Request(Struct, kw_only=True):
    model: ModelName
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    options: WireOptions | None = None
    think: bool | str | None = None


class WireChat(_Request, kw_only=True):
    messages: Annotated[list[WireMessage], Meta(max_length=20_000)] | None = None
    tools: Annotated[list[WireTool], Meta(max_length=1024)] | None = None


class WireGenerate(_Request, kw_only=True):
    prompt: str | None = None
    system: str | None = None
    suffix: str | None = None
    images: Images | None = None

    def __post_init__(self) -> None:
        _check_images(self.images)


# --- answers ------------------------------------------------------------------------------------------------------


class AnswerFunction(Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class AnswerCall(Struct):
    function: AnswerFunction
    id: str | None = None


class AnswerMessage(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[AnswerCall] | None = None


class Answer(Struct):
    """A chunk or a whole reply of either form: `message` of a chat, the rest beside it of a bare generation."""

    model: str | None = None
    created_at: Any = None
    message: AnswerMessage | None = None
    response: str | None = None
    thinking: str | None = None
    tool_calls: list[AnswerCall] | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None

    def as_message(self) -> AnswerMessage | None:
        """What it says, in either form."""
        if self.message is not None or self.response is None:
            return self.message
        return AnswerMessage(content=self.response, thinking=self.thinking, tool_calls=self.tool_calls)


MODELLED_ANSWER: Final = frozenset(Answer.__struct_fields__)

decode_answer: Final = jsonx.typed(Answer)
