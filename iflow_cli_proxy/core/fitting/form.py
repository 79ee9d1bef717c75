"""The form of an answer, its number and its end, as an upstream takes them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.fitting.parts import CHAT
from iflow_cli_proxy.core.fitting.turns import leading
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Message,
    Role,
    Text,
)

_LONGEST_USER: Final = 64
_OPENAIS_OWN: Final = ("prompt_cache_key", "safety_identifier", "service_tier", "verbosity")
_USUAL_LIMIT: Final = "max_tokens"


def with_possible_sampling(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Raises InvalidRequest where several answers are asked for and only one can be given."""
    sampling = request.sampling
    if sampling.n > 1 and profile.many_choices is False:
        raise InvalidRequest("This upstream gives one answer at a time.", param="n", hint="ask several times")
    if sampling.stop and profile.stop_sequences is False:
        notes.append(Note("stop", "the upstream takes no stop sequences"))
        request = msgspec.structs.replace(request, sampling=msgspec.structs.replace(sampling, stop=()))
    return request


def with_format(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """A schema that the upstream cannot hold an answer to is asked for in words, at the end of the system prompt."""
    wanted = request.response_format or {}
    if wanted.get("type") != "json_schema" or profile.json_schema is not False:
        return request
    schema: Any = (wanted.get("json_schema") or {}).get("schema")
    notes.append(Note("response_format", "the upstream enforces no schema; it is asked for in words"))
    words = f"Answer with one JSON value that fits this JSON schema, and nothing else:\n{jsonx.encode(schema).decode()}"
    prompt = request.messages[: leading(request.messages)]
    last = prompt[-1] if prompt else Message(role=Role.SYSTEM)
    asking = msgspec.structs.replace(last, parts=(*last.parts, Text(text=words)))
    return msgspec.structs.replace(
        request,
        response_format=None if profile.json_object is False else {"type": "json_object"},
        messages=(*prompt[:-1], asking, *request.messages[len(prompt) :]),
    )


def with_short_user(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Agents put whole objects there, of which some upstreams take 64 characters; all that counts is who is who."""
    if len(request.user) <= _LONGEST_USER:
        return request
    return msgspec.structs.replace(request, user=sha256(request.user.encode("utf-8", "surrogatepass")).hexdigest())


def with_known_words(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Without fields that only OpenAI itself is known to take: strict servers refuse a request for one of them."""
    extras = request.extras.get(CHAT, {})
    odd = [] if profile.openai_words else [name for name in _OPENAIS_OWN if name in extras]
    if not odd:
        return request
    notes += [Note(name, "left out: not every upstream takes it") for name in odd]
    kept = {name: value for name, value in extras.items() if name not in odd}
    return msgspec.structs.replace(request, extras={**request.extras, CHAT: kept})


def fitted_fields(fields: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Top-level fields of a body, whoever worded it, under the names that the upstream knows."""
    limit = profile.max_tokens_field
    if limit == _USUAL_LIMIT or _USUAL_LIMIT not in fields:
        return fields
    others = {name: value for name, value in fields.items() if name != _USUAL_LIMIT}
    return {**others, limit: others.get(limit, fields[_USUAL_LIMIT])}
