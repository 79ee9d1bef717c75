"""Every protocol we speak, one registration line each."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.protocols import (
    anthropic,
    gemini,
    ollama,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from iflow_cli_proxy.protocols.anthropic import counting as anthropic_counting
from iflow_cli_proxy.protocols.base import Codec, Counter
from iflow_cli_proxy.protocols.gemini import counting as gemini_counting
from iflow_cli_proxy.protocols.ollama import model_list as ollama_models
from iflow_cli_proxy.protocols.openai_responses import history as response_history

CODECS: Final[dict[str, Codec]] = {
    openai_chat.CODEC.name: openai_chat.CODEC,
    openai_responses.CODEC.name: openai_responses.CODEC,
    openai_completions.CODEC.name: openai_completions.CODEC,
    openai_embeddings.CODEC.name: openai_embeddings.CODEC,
    anthropic.CODEC.name: anthropic.CODEC,
    gemini.CODEC.name: gemini.CODEC,
    ollama.CODEC.name: ollama.CODEC,
}

COUNTERS: Final[tuple[Counter, ...]] = (
    Counter(
        protocol=anthropic.CODEC.name,
        paths=("/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"),
        read_envelope=anthropic_counting.read_count_envelope,
        encode=anthropic_counting.encode_count,
    ),
    Counter(
        protocol=gemini.CODEC.name,
        paths=("/v1beta/models/{model:.+}:countTokens", "/v1/models/{model:.+}:countTokens"),
        read_envelope=gemini_counting.read_count_envelope,
        encode=gemini_counting.encode_count,
    ),
)

__all__ = ["CODECS", "COUNTERS", "ollama_models", "response_history"]
