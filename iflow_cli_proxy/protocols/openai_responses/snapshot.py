"""The response object, which repeats what was asked: as it stands at the beginning of a stream, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses.ending import Ending
from iflow_cli_proxy.protocols.openai_responses.output import response_id
from iflow_cli_proxy.protocols.openai_responses.usage import encode_usage

IN_PROGRESS: Final = Ending("in_progress")
FAILED: Final = Ending("failed")

_DEFAULTS: Final[Mapping[str, Json]] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
"""What a field is said to be that the client did not set."""
_TEXT: Final[Mapping[str, Json]] = {"format": {"type": "text"}}
_REASONING: Final[Mapping[str, Json]] = {"effort": None, "summary": None}
_SAID: Final = frozenset(
    {
        "id", "object", "created_at", "completed_at", "status", "background", "error", "incomplete_details", "model",
        "output", "usage", "text", "reasoning", *_DEFAULTS,
    }
)  # fmt: skip


class Head(NamedTuple):
    """What an answer is known by."""

    id: str
    created: int
    model: str


def head_of(given_id: str, created: int, model: str, options: EncodeOptions) -> Head:
    return Head(response_id(given_id, options.id), created or options.created, model or options.model)


def snapshot(
    head: Head,
    asked: Mapping[str, Json],
    ending: Ending = IN_PROGRESS,
    *,
    output: Sequence[Json] = (),
    usage: Usage | None = None,
    error: Json = None,
) -> dict[str, Json]:
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": ending.status,
        "background": False,
        "error": error,
        "incomplete_details": ending.details,
        "model": head.model,
        "output": list(output),
        "usage": encode_usage(usage),
        **_repeated(asked),
    }


def _repeated(asked: Mapping[str, Json]) -> dict[str, Json]:
    said = {name: default if asked.get(name) is None else asked[name] for name, default in _DEFAULTS.items()}
    text, reasoning = asked.get("text"), asked.get("reasoning")
    said["text"] = {**_TEXT, **text} if isinstance(text, dict) else _TEXT
    said["reasoning"] = {**_REASONING, **reasoning} if isinstance(reasoning, dict) else _REASONING
    return said


def extras_of(response: Mapping[str, Json]) -> dict[str, Json]:
    """Fields of an upstream's response that are neither modelled nor the request's own words."""
    return {name: value for name, value in response.items() if name not in _SAID and value is not None}
