"""The shapes of OpenAI's Completions on the wire, the protocol before chats: a prompt in, its continuation out.

Source: OpenAI API reference, "Completions (legacy)"; the limits are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.checking import ModelName, Penalty, Temperature, Tokens, TopP

PROTOCOL: Final = "openai_completions"
DONE: Final = b"[DONE]"
"""The data of the frame that ends a stream."""


class WireStreamOptions(Struct):
    include_usage: bool | None = None


class WireRequest(Struct):
    """`prompt` is looked at apart: its forms are many, and each that is refused has its own reason."""

    model: ModelName
    prompt: Any
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: int | None = None
    top_k: int | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    stop: str | Annotated[list[str], Meta(max_length=64)] | None = None
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    user: str | None = None


Index = Annotated[int, Meta(ge=0, le=1023)]


class WireChoice(Struct):
    """A choice of a chunk or of a whole reply."""

    index: Index | None = None
    text: str | None = None
    finish_reason: str | None = None


class WireAnswer(Struct):
    id: str | int | None = None
    model: str | None = None
    created: float | str | None = None
    choices: list[WireChoice] | None = None
    usage: Any = None
    error: Any = None


MODELLED_ANSWER: Final = frozenset({"id", "object", "model", "created", "choices", "usage", "error"})

decode_answer: Final = jsonx.typed(WireAnswer)
