"""Which protocol a request is in, told from its path and its head: an error may have to be worded before anything else.

Refuses to know what a path does. Where nothing tells, it is OpenAI's Chat Completions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

DEFAULT: Final = "openai_chat"
ANTHROPIC: Final = "anthropic"
GEMINI: Final = "gemini"
OLLAMA: Final = "ollama"

_STARTS: Final = (
    ("/anthropic/", ANTHROPIC),
    ("/v1/messages", ANTHROPIC),
    ("/v1beta/", GEMINI),
    ("/api/", OLLAMA),
)
_ANSWERED: Final = "generateContent|streamGenerateContent|countTokens"
_REFUSED: Final = "embedContent|batchEmbedContents|batchGenerateContent|predict|predictLongRunning"
GEMINI_METHODS: Final = tuple(f"{start}/models/{{model:.+}}:{{method:{_REFUSED}}}" for start in ("/v1beta", "/v1"))
"""Routes of what Google's models can be asked and ours cannot."""
_GEMINI_VERB: Final = re.compile(rf"/models/.*:(?:{_ANSWERED}|{_REFUSED})\Z")
_GEMINI_HEADERS: Final = ("x-goog-api-key", "x-goog-api-client")
"""Google's SDK asks for models under /v1 as well."""
_ANTHROPIC_HEADER: Final = "anthropic-version"


def protocol_of(path: str, headers: Mapping[str, str]) -> str:
    """The name of a codec."""
    for start, protocol in _STARTS:
        if path.startswith(start):
            return protocol
    if _GEMINI_VERB.search(path):
        return GEMINI
    if _ANTHROPIC_HEADER in headers:
        return ANTHROPIC
    is_list = path.startswith("/v1/models") and any(name in headers for name in _GEMINI_HEADERS)
    return GEMINI if is_list else DEFAULT
