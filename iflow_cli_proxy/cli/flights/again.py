"""A recorded request sent to a gateway once more, as it came then.

Knows which of its headers belong to the question. Refuses to know what the answer means (`meaning.py`).
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from iflow_cli_proxy.agents.base import ANY_KEY
from iflow_cli_proxy.cli.agents.reaching import is_gateway, open_directly
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, Unreachable
from iflow_cli_proxy.core.jsonx import JsonError

_OF_THE_QUESTION: Final = re.compile(
    r"accept|user-agent|anthropic-.*|openai-.*|x-stainless-.*|x-goog-api-client|x-no-retry|x-request-timeout"
    r"|(?:x-)?(?:session|conversation)[-_]id|x-demo-fault",
    re.IGNORECASE,
)
"""Headers that may change the answer; lengths, addresses and keys are made anew."""
_MODEL_IN_PATH: Final = re.compile(r"(?<=/models/)[^:]+(?=:)")
_LONGEST_S: Final = 1900.0
"""A little more than a gateway itself waits (upstream.total_timeout_s)."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, whole, and when."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    first_byte_s: float
    duration_s: float


def question_from(flight: Mapping[str, Any], to: str = "") -> Question:
    """The client's request; with `to` for another model.

    Raises:
        ConfigError: its body was not kept, or not all of it.
    """
    asked = flight["client_request"]
    if not asked["body"]:
        raise ConfigError(
            "The body of this request was not kept, so it cannot be sent again.",
            hint="`iflow2api config set recorder.contents true`, then ask again",
        )
    if asked["cut"]:
        raise ConfigError(
            "The body of this request was cut, so it cannot be sent again.",
            hint=f"`iflow2api config set recorder.max_body_bytes {_next_power(asked['bytes'])}`, then ask again",
        )
    body, path = asked["body"].encode(), asked["path"]
    if to:
        body, path = _for(to, body, path)
    query = {name: value for name, value in asked["query"].items() if "…" not in value}
    return Question(
        path=urllib.parse.quote(path, safe="/:") + (f"?{urllib.parse.urlencode(query)}" if query else ""),
        headers={name: value for name, value in asked["headers"].items() if _OF_THE_QUESTION.fullmatch(name)},
        body=body,
    )


def send(question: Question, place: str, key: str, request_id: str) -> Answer:
    """Ask the gateway at `place`; refusals are answers too.

    Raises:
        Unreachable: none is there, or it went away.
    """
    if not is_gateway(place):
        raise Unreachable(
            f"No gateway answers at {place}.",
            hint="start one with `iflow2api serve`, or name the one that runs with --url",
        )
    headers = {
        **question.headers,
        "content-type": "application/json",
        "authorization": f"Bearer {key or ANY_KEY}",
        "x-request-id": request_id,
    }
    request = urllib.request.Request(f"{place}{question.path}", question.body, headers, method="POST")
    began = time.monotonic()
    try:
        try:
            came = open_directly(request, timeout=_LONGEST_S)
        except urllib.error.HTTPError as refusal:
            came = refusal
        with came:
            start = came.read(1)
            first_byte_s = time.monotonic() - began
            body = start + came.read()
            status, told = came.status, {name.lower(): value for name, value in came.headers.items()}
    except (OSError, HTTPException) as error:
        raise Unreachable(f"The gateway at {place} broke off.", hint="see the gateway's log") from error
    return Answer(
        status=status or 0,
        headers=told,
        body=body,
        first_byte_s=first_byte_s,
        duration_s=time.monotonic() - began,
    )


def _for(model: str, body: bytes, path: str) -> tuple[bytes, str]:
    """The same question to another model, which stands in the body, or in the path as Google's clients do it."""
    if _MODEL_IN_PATH.search(path):
        return body, _MODEL_IN_PATH.sub(lambda _: model, path)
    try:
        fields = jsonx.raw_fields(body)
    except JsonError as error:
        raise ConfigError(
            "The body of this request is no JSON, so nothing in it can be changed.", param="--to"
        ) from error
    return jsonx.encode({**fields, "model": model}), path


def _next_power(size: int) -> int:
    return 1 << max(10, size.bit_length())
