"""Responses requests: checked, read as ChatRequest, and written from one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text, Thinking, ToolSpec
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.openai_responses.choice import Chosen, decode_choice, encode_choice
from iflow_cli_proxy.protocols.openai_responses.tools import ToolNames, decode_tools
from iflow_cli_proxy.protocols.openai_responses.turns import decode_items, encode_messages
from iflow_cli_proxy.protocols.openai_responses.wire import PROTOCOL, WireRequest, check_items, check_tools, type_of

_ENVELOPE_FIELDS: Final = ("model", "stream")
_CONVERSATION: Final = ("input", "instructions")
_IS_INPUT: Final = "is_input"
"""In a message's extras: it was the whole input, as a string."""
_NOT_KEPT: Final = {
    "conversation": "conversations are not kept here; send the turns in `input`, or use `previous_response_id`",
    "prompt": "prompt templates are not kept here; send their text in `instructions` and `input`",
}
_PLAIN_TIERS: Final = ("auto", "default")
_CHAT: Final = "openai_chat"
"""The same vendor's other protocol, which has most of the same words."""
_SAME_IN_CHAT: Final = ("prompt_cache_key", "safety_identifier")
_LOGPROBS: Final = "message.output_text.logprobs"
"""What `include` says of them."""


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream."""
    try:
        values = read_object(inbound.body)
        request = jsonx.convert(values, WireRequest)
        if not isinstance(request.input, str):
            check_items(request.input, "input")
        check_tools(request.tools or (), "tools")
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    _refuse_what_is_not_kept(values)
    return Envelope(
        model=request.model,
        is_stream=bool(request.stream),
        wants_usage=bool(request.stream),  # its last event always has it
        fields=jsonx.without(jsonx.raw_fields(inbound.body), *_ENVELOPE_FIELDS),
        values=values,
        may_be_shortened=request.truncation == "auto",
    )


def _refuse_what_is_not_kept(values: Mapping[str, Json]) -> None:
    for name, why in _NOT_KEPT.items():
        if values.get(name) is not None:
            raise InvalidRequest(f"`{name}`: {why}.", param=name)
    if values.get("background"):
        raise InvalidRequest(
            "`background`: answers are not made in the background here; wait for them.", param="background"
        )
    if values.get("previous_response_id") or isinstance(values["input"], str):
        return
    for at, item in enumerate(values["input"]):
        if type_of(item) == "item_reference":
            raise unknown_reference(item["id"], f"input[{at}]")


def unknown_reference(item_id: str, path: str) -> InvalidRequest:
    return InvalidRequest(
        f"`{path}`: there is no item `{item_id[:80]}` in the turns before; send the item itself.", param=path
    )


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    names = ToolNames(values)
    tools, tool_notes = decode_tools(values, names)
    messages, rest, notes = _decode_conversation(values, names)
    chosen = decode_choice(values.get("tool_choice"), tools, names)
    request = ChatRequest(
        model=envelope.model,
        messages=messages,
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        tools=chosen.tools,
        tool_choice=chosen.choice,
        allows_parallel_calls=values.get("parallel_tool_calls") if chosen.tools else None,
        sampling=_decode_sampling(values),
        thinking=_decode_thinking(values.get("reasoning") or {}),
        response_format=_decode_format((values.get("text") or {}).get("format")),
        user=values.get("user") or values.get("safety_identifier") or "",
        metadata=values.get("metadata"),
        notes=(*notes, *tool_notes, *_notes(values, chosen)),
    )
    kept = _kept(request, values, rest)
    extras = {PROTOCOL: kept if any(kept.values()) else {}, _CHAT: _in_chat(values)}
    extras = {name: fields for name, fields in extras.items() if fields}
    return msgspec.structs.replace(request, extras=extras) if extras else request


def _in_chat(values: Mapping[str, Json]) -> dict[str, Json]:
    """What has no canonical word, in those of Chat Completions."""
    fields = {name: values.get(name) for name in _SAME_IN_CHAT}
    if values.get("service_tier") not in _PLAIN_TIERS:
        fields["service_tier"] = values.get("service_tier")
    fields["verbosity"] = (values.get("text") or {}).get("verbosity")
    if values.get("top_logprobs") or _LOGPROBS in (values.get("include") or ()):
        fields["logprobs"] = True
        fields["top_logprobs"] = values.get("top_logprobs")
    return {name: value for name, value in fields.items() if value is not None}


def _decode_conversation(
    values: Mapping[str, Json], names: ToolNames
) -> tuple[tuple[Message, ...], Sequence[Json], tuple[Note, ...]]:
    instructions, given = values.get("instructions"), values["input"]
    first = (Message(role=Role.SYSTEM, parts=(Text(text=instructions),)),) if instructions else ()
    if isinstance(given, str):
        only = Message(role=Role.USER, parts=(Text(text=given),), extras={PROTOCOL: {_IS_INPUT: True}})
        return (*first, only), (), ()
    turns = decode_items(given, names)
    return (*first, *turns.messages), turns.rest, turns.notes


def _decode_sampling(values: Mapping[str, Json]) -> Sampling:
    return Sampling(
        max_tokens=values.get("max_output_tokens"), temperature=values.get("temperature"), top_p=values.get("top_p")
    )


def _decode_thinking(reasoning: Mapping[str, Json]) -> Thinking:
    effort = reasoning.get("effort")
    return Thinking(is_on=effort != "none", effort=effort) if effort else Thinking()


def _decode_format(form: Mapping[str, Json] | None) -> Mapping[str, Any] | None:
    """Flat here, nested in Chat Completions, whose words the canonical form uses."""
    if not form or form.get("type") not in ("json_object", "json_schema"):
        return None
    inner = jsonx.without(form, "type")
    return {"type": form["type"]} | ({"json_schema": inner} if form["type"] == "json_schema" else {})


def _notes(values: Mapping[str, Json], chosen: Chosen) -> Iterator[Note]:
    if chosen.note:
        yield Note("tool_choice", chosen.note)
    if values.get("max_tool_calls"):
        yield Note("max_tool_calls", "it limits hosted tools, and there are none, so it was left out")
    if values.get("top_logprobs"):
        yield Note("top_logprobs", "no logprobs are given back")


def _kept(request: ChatRequest, values: Mapping[str, Json], rest: Sequence[Json]) -> dict[str, Any]:
    """What the canonical form does not say of the fields besides the conversation, and what it says unasked."""
    plain = _encode_fields(request)
    outside = jsonx.without(values, *_ENVELOPE_FIELDS, *_CONVERSATION)
    return {
        "own": {name: value for name, value in outside.items() if name not in plain or plain[name] != value},
        "absent": [name for name in plain if name not in outside],
        "rest": list(rest),
    }


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without `model` and `stream`."""
    kept = request.extras.get(PROTOCOL)
    fields = _encode_conversation(request.messages) | _encode_fields(request)
    if kept is None:
        return fields
    if kept["rest"] and not isinstance(fields["input"], str):
        fields["input"] = [*fields["input"], *kept["rest"]]
    return jsonx.without(fields | kept["own"], *kept["absent"])


def _encode_conversation(messages: Sequence[Message]) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    if messages and _is_instructions(messages[0]):
        fields["instructions"] = "\n\n".join(part.text for part in messages[0].parts if isinstance(part, Text))
        messages = messages[1:]
    if len(messages) == 1 and messages[0].extras.get(PROTOCOL, {}).get(_IS_INPUT):
        (text,) = messages[0].parts
        return fields | {"input": text.text if isinstance(text, Text) else ""}
    return fields | {"input": encode_messages(messages)}


def _is_instructions(message: Message) -> bool:
    """The first system prompt, unless it was an item of its own."""
    is_text = all(isinstance(part, Text) for part in message.parts)
    return message.role is Role.SYSTEM and is_text and PROTOCOL not in message.extras


def _encode_fields(request: ChatRequest) -> dict[str, Json]:
    """All but the conversation. Nobody but a client of this protocol wants the upstream to store anything."""
    sampling = request.sampling
    fields: dict[str, Any] = {
        "max_output_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "tools": [_encode_tool(tool) for tool in request.tools] or None,
        "tool_choice": encode_choice(request.tool_choice),
        "parallel_tool_calls": request.allows_parallel_calls,
        "reasoning": {"effort": request.thinking.effort} if request.thinking.effort else None,
        "text": _encode_format(request.response_format),
        "user": request.user or None,
        "metadata": request.metadata,
        "store": False,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_tool(tool: ToolSpec) -> dict[str, Json]:
    fields: dict[str, Any] = {
        "type": "function",
        "name": tool.name,
        "description": tool.description or None,
        "parameters": tool.parameters,
        "strict": tool.is_strict,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_format(form: Mapping[str, Any] | None) -> Json:
    if form is None:
        return None
    return {"format": {"type": form.get("type"), **(form.get("json_schema") or {})}}
