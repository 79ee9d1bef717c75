"""Token counts in Ollama's words; how many of them were for thinking it does not say."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage

_MOST: Final = 2**53


def decode_usage(prompt: Json, completion: Json) -> Usage | None:
    """None when the upstream did not report, or reported nonsense."""
    found = Usage(prompt=_count(prompt), completion=_count(completion))
    return found if found else None


def encode_usage(usage: Usage) -> dict[str, Json]:
    return {"prompt_eval_count": usage.prompt, "eval_count": usage.completion}


def _count(value: Json) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value <= _MOST else 0
