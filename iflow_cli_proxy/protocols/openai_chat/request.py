"""Chat Completions requests: checked, read as ChatRequest, and written from one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.request import (
    Audio,
    ChatRequest,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.data_url import data_url, split_data_url
from iflow_cli_proxy.protocols.openai_chat.wire import PROTOCOL, WireRequest

_Content: TypeAlias = Text | Image | File | Audio | Opaque
_ENVELOPE_FIELDS: Final = ("model", "stream")
_MODELLED: Final = frozenset(
    {
        *_ENVELOPE_FIELDS, "stream_options", "messages", "max_tokens", "max_completion_tokens", "n", "temperature",
        "top_p", "top_k", "presence_penalty", "frequency_penalty", "seed", "stop", "tools", "tool_choice",
        "parallel_tool_calls", "response_format", "reasoning_effort", "user", "metadata",
    }
)  # fmt: skip
_MODELLED_MESSAGE: Final = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "signature", "refusal"}
)
_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream."""
    try:
        values = read_object(inbound.body)
        request = jsonx.convert(values, WireRequest)
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    return Envelope(
        model=request.model,
        is_stream=bool(request.stream),
        wants_usage=bool(request.stream_options and request.stream_options.include_usage),
        fields=jsonx.without(jsonx.raw_fields(inbound.body), *_ENVELOPE_FIELDS),
        values=values,
        choices=request.n or 1,
    )


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    return ChatRequest(
        model=envelope.model,
        messages=tuple(_decode_message(message) for message in values["messages"]),
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        tools=tuple(_decode_tool(tool["function"]) for tool in values.get("tools") or () if _is_function(tool)),
        tool_choice=_decode_tool_choice(values.get("tool_choice")),
        allows_parallel_calls=values.get("parallel_tool_calls"),
        sampling=_decode_sampling(values),
        thinking=_decode_effort(values.get("reasoning_effort")),
        response_format=values.get("response_format"),
        user=values.get("user") or "",
        metadata=values.get("metadata"),
        extras=_keyed(_extras_of(values)),
    )


def _decode_sampling(values: Mapping[str, Json]) -> Sampling:
    stop = values.get("stop")
    return Sampling(
        max_tokens=values.get("max_completion_tokens") or values.get("max_tokens"),
        temperature=values.get("temperature"),
        top_p=values.get("top_p"),
        top_k=values.get("top_k"),
        presence_penalty=values.get("presence_penalty"),
        frequency_penalty=values.get("frequency_penalty"),
        seed=values.get("seed"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        n=values.get("n") or 1,
    )


def _extras_of(values: Mapping[str, Json]) -> dict[str, Json]:
    """What we have no words for, whole: also lists of tools and choices that are not about functions only."""
    extras = {name: value for name, value in values.items() if name not in _MODELLED}
    if not all(_is_function(tool) for tool in values.get("tools") or ()):
        extras["tools"] = values["tools"]
    choice = values.get("tool_choice")
    if isinstance(choice, dict) and not _is_function(choice):
        extras["tool_choice"] = choice
    return extras


def _is_function(tool: Mapping[str, Json]) -> bool:
    """Of a tool, a tool choice or a call: whether it is about a function with a name."""
    function = tool.get("function")
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _decode_effort(effort: str | None) -> Thinking:
    return Thinking(is_on=effort != "none", effort=effort) if effort else Thinking()


def _decode_message(message: Mapping[str, Json]) -> Message:
    role = _ROLES[message["role"]]
    extras = {name: value for name, value in message.items() if name not in _MODELLED_MESSAGE}
    if message["role"] == "developer":
        extras["role"] = "developer"
    if not all(_is_function(call) for call in message.get("tool_calls") or ()):
        extras["tool_calls"] = message["tool_calls"]
    if role is Role.TOOL:
        contents = tuple(_decode_content(message.get("content")))
        parts = tuple(part for part in contents if isinstance(part, Text | Image))
        if parts != contents:
            extras["content"] = message["content"]
        call_id = message.get("tool_call_id") or message.get("name") or ""
        return Message(role=role, parts=(ToolResult(call_id=call_id, parts=parts),), extras=_keyed(extras))
    return Message(
        role=role, parts=tuple(_decode_parts(message)), name=message.get("name") or "", extras=_keyed(extras)
    )


def _keyed(extras: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    return {PROTOCOL: extras} if extras else {}


def _decode_parts(message: Mapping[str, Json]) -> Iterator[Part]:
    reasoning, signature = message.get("reasoning_content"), message.get("signature")
    if reasoning or signature:
        yield Reasoning(text=reasoning or "", seals={"signature": signature} if signature else {})
    yield from _decode_content(message.get("content"))
    if message.get("refusal"):
        yield Refusal(text=message["refusal"])
    for call in message.get("tool_calls") or ():
        if _is_function(call):
            yield _decode_call(call.get("id") or "", call["function"])


def _decode_call(call_id: str, function: Mapping[str, Json]) -> ToolCall:
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else jsonx.encode(arguments or {}).decode()
    return ToolCall(id=call_id, name=function["name"], arguments=text)


def _decode_content(content: Json) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
        return
    for part in content or ():
        match part["type"]:
            case "text":
                yield Text(text=part.get("text") or "")
            case "refusal":
                yield Refusal(text=part.get("refusal") or "")
            case "image_url":
                yield decode_image(part.get("image_url"))
            case "input_audio":
                audio = part.get("input_audio") or {}
                yield Audio(data=audio.get("data") or "", format=audio.get("format") or "")
            case "file":
                file = part.get("file") or {}
                media_type, data = split_data_url(file.get("file_data") or "")
                yield File(
                    name=file.get("filename") or "", file_id=file.get("file_id") or "", data=data, media_type=media_type
                )
            case _:
                yield Opaque(protocol=PROTOCOL, value=part)


def decode_image(image: Json) -> Image:
    """What `image_url` holds: an object, or the URL alone."""
    url = image if isinstance(image, str) else (image or {}).get("url") or ""
    detail = "" if isinstance(image, str) else (image or {}).get("detail") or ""
    media_type, data = split_data_url(url)
    return Image(data=data, media_type=media_type, detail=detail) if media_type else Image(url=url, detail=detail)


def _decode_tool(function: Mapping[str, Json]) -> ToolSpec:
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters"),
        is_strict=function.get("strict"),
    )


def _decode_tool_choice(choice: Json) -> ToolChoice | None:
    if isinstance(choice, str):
        return ToolChoice(mode=choice)
    if isinstance(choice, dict) and _is_function(choice):
        return ToolChoice(mode="function", name=choice["function"]["name"])
    return None


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without `model` and `stream`; absent stays absent."""
    sampling = request.sampling
    fields: dict[str, Any] = {
        "messages": [message for source in request.messages for message in _encode_message(source)],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "n": sampling.n if sampling.n != 1 else None,
        "tools": [_encode_tool(tool) for tool in request.tools] or None,
        "tool_choice": _encode_tool_choice(request.tool_choice),
        "parallel_tool_calls": request.allows_parallel_calls,
        "response_format": request.response_format,
        "reasoning_effort": request.thinking.effort or None,
        "user": request.user or None,
        "metadata": request.metadata,
    }
    return {name: value for name, value in fields.items() if value is not None} | dict(request.extras.get(PROTOCOL, {}))


def _encode_message(message: Message) -> Iterator[dict[str, Json]]:
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    extras = message.extras.get(PROTOCOL, {})
    for result in results:
        yield {"role": "tool", "tool_call_id": result.call_id, "content": _encode_result(result), **extras}
    if rest or not results:
        yield _encode_turn(message, rest) | dict(extras)


def _encode_result(result: ToolResult) -> Json:
    """That a call failed has no field of its own, so the text says it."""
    first = result.parts[0] if result.parts else Text(text="")
    if not result.is_error or not isinstance(first, Text) or first.text.lower().startswith("error"):
        return _encode_content(result.parts)
    return _encode_content((Text(text=f"Error: {first.text}"), *result.parts[1:]))


def _encode_turn(message: Message, parts: Sequence[Part]) -> dict[str, Json]:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    contents = [part for part in parts if isinstance(part, _Content)]
    content = _encode_content(contents) if contents or not calls else None
    out: dict[str, Json] = {"role": message.role.value, "content": content}
    if message.name:
        out["name"] = message.name
    for part in parts:
        if isinstance(part, Reasoning):
            if thought := out.get("reasoning_content", "") + part.text:
                out["reasoning_content"] = thought
            out |= {kind: value for kind, value in part.seals.items() if kind == "signature"}
        elif isinstance(part, Refusal):
            out["refusal"] = out.get("refusal", "") + part.text
    if calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return out


def _encode_content(parts: Iterable[_Content]) -> Json:
    """One text alone as a string, anything else as a list of parts; parts of another protocol are left out."""
    listed = [part for part in parts if not isinstance(part, Opaque) or part.protocol == PROTOCOL]
    if not listed:
        return ""
    if len(listed) == 1 and isinstance(listed[0], Text):
        return listed[0].text
    return [_encode_part(part) for part in listed]


def _encode_part(part: _Content) -> Mapping[str, Json]:
    match part:
        case Opaque():
            return part.value
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = part.url or data_url(part.media_type, part.data)
            return {"type": "image_url", "image_url": {"url": url} | ({"detail": part.detail} if part.detail else {})}
        case Audio():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case File():
            data = data_url(part.media_type, part.data) if part.media_type and part.data else part.data
            named = {"filename": part.name, "file_id": part.file_id, "file_data": data, "file_url": part.url}
            return {"type": "file", "file": {name: value for name, value in named.items() if value}}


def _encode_tool(tool: ToolSpec) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return {"type": "function", "function": function}


def _encode_tool_choice(choice: ToolChoice | None) -> Json:
    if choice is None:
        return None
    return {"type": "function", "function": {"name": choice.name}} if choice.mode == "function" else choice.mode
