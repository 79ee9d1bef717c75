from __future__ import annotations

import re

import pytest

from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.dialect import protocol_of


@pytest.mark.parametrize(
    ("path", "headers", "protocol"),
    [
        ("/v1/chat/completions", {}, "openai_chat"),
        ("/v1/responses", {}, "openai_chat"),
        ("/v1/messages", {}, "anthropic"),
        ("/v1/messages/count_tokens", {}, "anthropic"),
        ("/anthropic/v1/models", {}, "anthropic"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("/v1/models", {}, "openai_chat"),
        ("/v1/models", {"x-goog-api-client": "google-genai-sdk/3.4"}, "gemini"),
        ("/v1/chat/completions", {"x-goog-api-key": "k"}, "openai_chat"),
        ("/v1beta/models", {}, "gemini"),
        ("/v1/models/glm-5:generateContent", {}, "gemini"),
        ("/v1beta/models/a/b:streamGenerateContent", {}, "gemini"),
        ("/api/chat", {}, "ollama"),
        ("/health", {}, "openai_chat"),
        ("/", {}, "openai_chat"),
    ],
)
def test_a_path_and_a_header_tell_whose_words_an_error_takes(path: str, headers: dict[str, str], protocol: str) -> None:
    assert protocol_of(path, headers) == protocol


def test_every_route_of_a_codec_is_worded_as_that_codec_words_errors() -> None:
    """OpenAI's protocols share one shape of errors."""
    for codec in CODECS.values():
        for spec in codec.routes:
            path = re.sub(r"\{model:[^}]*\}", "m", spec.path).replace("{method:generateContent|", "").replace("}", "")
            found = protocol_of(path, {})
            assert found == codec.name or (found == "openai_chat" and codec.name.startswith("openai_"))
