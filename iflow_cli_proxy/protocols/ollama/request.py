"""Ollama requests of both forms: checked, read as ChatRequest, and written from one.

A bare generation (`/api/generate`) is read as a conversation of one prompt; requests are always written as a chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Text
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.ollama import settings
from iflow_cli_proxy.protocols.ollama.messages import decode_messages, encode_messages
from iflow_cli_proxy.protocols.ollama.pictures import decode_image
from iflow_cli_proxy.protocols.ollama.wire import PROTOCOL, WireChat, WireGenerate

CHAT: Final = "chat"
GENERATE: Final = "generate"
_ENVELOPE_FIELDS: Final = ("model", "stream")
_OPTIONS: Final = "options"
_PROMPT_FIELDS: Final = ("messages", "prompt", "system", "images")
_UNSAYABLE: Final = {
    "suffix": "what follows the gap cannot be told to this upstream, so it was left out",
    "context": "tokens of an earlier answer mean nothing to this upstream, so they were left out",
    "template": "this upstream has its own template, so this one was left out",
}
"""Fields of a bare generation that matter and have no word anywhere else."""


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream. A stream is what is not declined."""
    flavor = GENERATE if inbound.path.get("form") == GENERATE else CHAT
    try:
        values = read_object(inbound.body)
        request = jsonx.convert(values, WireGenerate if flavor == GENERATE else WireChat)
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    return Envelope(
        model=request.model,
        is_stream=request.stream is not False,
        wants_usage=request.stream is not False,
        fields=jsonx.without(jsonx.raw_fields(inbound.body), *_ENVELOPE_FIELDS),
        values=values,
        flavor=flavor,
    )


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    notes: list[Note] = []
    if envelope.flavor == GENERATE:
        notes += [Note(name, what) for name, what in _UNSAYABLE.items() if values.get(name)]
    request = ChatRequest(
        model=envelope.model,
        messages=_decode_prompt(values)
        if envelope.flavor == GENERATE
        else decode_messages(values.get("messages") or ()),
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        tools=settings.decode_tools(values.get("tools") or (), notes),
        sampling=settings.decode_sampling(values.get(_OPTIONS) or {}),
        thinking=settings.decode_thinking(values.get("think")),
        response_format=settings.decode_format(values.get("format")),
        notes=tuple(notes),
    )
    extras = _extras_of(values, _encode_settings(request))
    return structs.replace(request, extras={PROTOCOL: extras}) if extras else request


def _decode_prompt(values: Mapping[str, Json]) -> tuple[Message, ...]:
    """Nothing to say is no message: such a request only wants the model loaded."""
    messages = []
    if values.get("system"):
        messages.append(Message(role=Role.SYSTEM, parts=(Text(text=values["system"]),)))
    images = [decode_image(data) for data in values.get("images") or ()]
    if values.get("prompt") or images:
        messages.append(Message(role=Role.USER, parts=(Text(text=values.get("prompt") or ""), *images)))
    return tuple(messages)


def _extras_of(values: Mapping[str, Json], encoded: Mapping[str, Json]) -> dict[str, Json]:
    """What would come back otherwise than it came."""
    fields = jsonx.without(values, *_ENVELOPE_FIELDS, *_PROMPT_FIELDS, *_UNSAYABLE, "raw", _OPTIONS)
    extras = {name: value for name, value in fields.items() if encoded.get(name) != value}
    options, known = values.get(_OPTIONS), encoded.get(_OPTIONS, {})
    if options is not None:
        changed = {name: value for name, value in options.items() if known.get(name) != value}
        if changed or not options:
            extras[_OPTIONS] = changed
    return extras


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without `model` and `stream`; absent stays absent."""
    fields = {"messages": encode_messages(request.messages), **_encode_settings(request)}
    extras = dict(request.extras.get(PROTOCOL, {}))
    options = {**fields.get(_OPTIONS, {}), **(extras.pop(_OPTIONS, None) or {})}
    if options or _OPTIONS in request.extras.get(PROTOCOL, {}):
        fields[_OPTIONS] = options
    return {**fields, **extras}


def _encode_settings(request: ChatRequest) -> dict[str, Json]:
    """All but the conversation itself. There is no way to forbid a call but to offer no tool."""
    may_call = request.tool_choice is None or request.tool_choice.mode != "none"
    fields: dict[str, Any] = {
        "tools": settings.encode_tools(request.tools) if may_call else None,
        "format": settings.encode_format(request.response_format),
        "think": settings.encode_thinking(request.thinking),
        _OPTIONS: settings.encode_options(request.sampling) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
