"""Gemini requests: checked, read as ChatRequest, and written from one.

Model, method and kind of stream stand in the address, the rest in the body. What the canonical form would write
otherwise than the client did (Google's schemas, hosted tools, safety settings) is kept beside it for the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.gemini import settings
from iflow_cli_proxy.protocols.gemini.contents import decode_contents, decode_system, encode_contents, encode_system
from iflow_cli_proxy.protocols.gemini.spelling import respelled
from iflow_cli_proxy.protocols.gemini.wire import PROTOCOL, WireRequest

STREAMING: Final = "streamGenerateContent"
EVENTS: Final = "events"
ARRAY: Final = "array"
"""The flavors of a stream: server-sent events (`alt=sse`), or one JSON array that grows."""
_CONFIG: Final = "generationConfig"
_PREFIX: Final = "models/"


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream."""
    try:
        values = respelled(read_object(inbound.body))
        values["model"] = _model(inbound.path.get("model") or values.get("model"))
        request = jsonx.convert(values, WireRequest)
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    is_stream = inbound.path.get("method") == STREAMING
    config = request.generation_config
    return Envelope(
        model=values["model"],
        is_stream=is_stream,
        wants_usage=is_stream,
        fields=jsonx.without(jsonx.raw_fields(inbound.body), "model"),
        values=values,
        choices=config.candidate_count or 1 if config else 1,
        flavor=_flavor(inbound.query.get("alt")) if is_stream else "",
    )


def _model(name: Json) -> Json:
    """Without the `models/` that Google's names begin with."""
    if name is None:
        raise InvalidRequest("`model`: Field required.", param="model")
    return name.removeprefix(_PREFIX) if isinstance(name, str) else name


def _flavor(alt: str | None) -> str:
    return EVENTS if alt == "sse" else ARRAY


def count_choices(body: bytes) -> int:
    """`candidateCount` of a body that we wrote ourselves."""
    raw = jsonx.raw_fields(body).get(_CONFIG)
    config = None if raw is None else jsonx.decode(bytes(raw))
    found = config.get("candidateCount") if isinstance(config, dict) else None
    return found if isinstance(found, int) else 1


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    config = values.get(_CONFIG) or {}
    notes: list[Note] = [*settings.unsayable(config)]
    tools = settings.decode_tools(values, notes)
    if values.get("cachedContent"):
        notes.append(Note("cachedContent", "content that was cached elsewhere cannot be read here, so it was left out"))
    request = ChatRequest(
        model=envelope.model,
        messages=decode_system(values.get("systemInstruction")) + decode_contents(values["contents"], notes),
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        tools=tools,
        tool_choice=settings.decode_tool_choice(values, tools),
        sampling=settings.decode_sampling(config),
        thinking=settings.decode_thinking(config),
        response_format=settings.decode_response_format(config),
        notes=tuple(notes),
    )
    extras = _extras_of(values, _encode_settings(request))
    return structs.replace(request, extras={PROTOCOL: extras}) if extras else request


def _extras_of(values: Mapping[str, Json], encoded: Mapping[str, Json]) -> dict[str, Json]:
    """What would come back otherwise than it came."""
    fields = jsonx.without(values, "model", "contents", _CONFIG)
    extras = {name: value for name, value in fields.items() if encoded.get(name) != value}
    config, known = values.get(_CONFIG), encoded.get(_CONFIG, {})
    if config is not None:
        changed = {name: value for name, value in config.items() if known.get(name) != value}
        if changed or not config:
            extras[_CONFIG] = changed
    return extras


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without the model, which stands in the address; absent stays absent."""
    fields = {"contents": encode_contents(request.messages), **_encode_settings(request)}
    extras = dict(request.extras.get(PROTOCOL, {}))
    config = {**fields.get(_CONFIG, {}), **(extras.pop(_CONFIG, None) or {})}
    if "responseSchema" in config:
        config.pop("responseJsonSchema", None)  # they exclude each other
    if config or _CONFIG in request.extras.get(PROTOCOL, {}):
        fields[_CONFIG] = config
    return {**fields, **extras}


def _encode_settings(request: ChatRequest) -> dict[str, Json]:
    """All but the conversation itself."""
    fields: dict[str, Any] = {
        "systemInstruction": encode_system(request.messages),
        "tools": settings.encode_tools(request.tools),
        "toolConfig": settings.encode_tool_choice(request.tool_choice),
        _CONFIG: settings.encode_config(request) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
