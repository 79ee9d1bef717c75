"""Tools as an upstream takes them: names, ids, schemas, results without pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from iflow_cli_proxy.core.fitting.parts import each_part
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Image,
    Message,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.core.schemas import cleaned
from iflow_cli_proxy.core.tool_names import new_id

_ELSEWHERE: Final = "(the picture follows)"


def tool_names(request: ChatRequest) -> Iterator[str]:
    yield from (tool.name for tool in request.tools)
    for message in request.messages:
        yield from (part.name for part in message.parts if isinstance(part, ToolCall))


def renamed(request: ChatRequest, names: Mapping[str, str]) -> ChatRequest:
    choice = request.tool_choice
    if choice is not None and choice.name in names:
        choice = msgspec.structs.replace(choice, name=names[choice.name])

    def rename(part: Part) -> Part:
        if isinstance(part, ToolCall) and part.name in names:
            return msgspec.structs.replace(part, name=names[part.name])
        return part

    return msgspec.structs.replace(
        request,
        tools=tuple(msgspec.structs.replace(tool, name=names.get(tool.name, tool.name)) for tool in request.tools),
        tool_choice=choice,
        messages=each_part(request.messages, rename),
    )


def with_possible_tools(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Without what an upstream has no tools for, rather than with its refusal of everything."""
    if profile.tools is False and request.tools:
        notes.append(Note("tools", "the upstream has none, so they were left out"))
        request = msgspec.structs.replace(request, tools=(), tool_choice=None, allows_parallel_calls=None)
    if profile.parallel_tools is False and request.allows_parallel_calls:
        request = msgspec.structs.replace(request, allows_parallel_calls=None)
    choice = request.tool_choice
    if profile.tool_choice is False and choice is not None and choice.mode not in ("auto", "none"):
        notes.append(Note("tool_choice", "the upstream takes no wish which tool is called"))
        request = msgspec.structs.replace(request, tool_choice=None)
    return request


def with_clean_schemas(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    if not profile.refused_schema_words:
        return request
    tools = []
    for at, tool in enumerate(request.tools):
        schema = tool.parameters and cleaned(tool.parameters, profile.refused_schema_words)
        if schema is not tool.parameters:
            notes.append(Note(f"tools[{at}]", "schema keywords that the upstream refuses were told in words"))
        tools.append(msgspec.structs.replace(tool, parameters=schema))
    return msgspec.structs.replace(request, tools=tuple(tools))


def with_results_alone(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Good ids on calls and results; and pictures of results shown by the user, behind the results of that turn."""
    messages: list[Message] = []
    pictures: list[Part] = []
    called: dict[str, str] = {}
    for message in each_part(request.messages, _with_good_id):
        if pictures and message.role is not Role.TOOL:
            messages.append(Message(role=Role.USER, parts=tuple(pictures)))
            pictures = []
        called |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall)}
        if message.role is Role.TOOL and not profile.tool_result_images:
            message, shown = _without_pictures(message, called)
            pictures += shown
        messages.append(message)
    if pictures:
        messages.append(Message(role=Role.USER, parts=tuple(pictures)))
    if len(messages) != len(request.messages):
        notes.append(Note("messages", "pictures in results of tools are shown to the model as the user's"))
    return msgspec.structs.replace(request, messages=tuple(messages))


def _with_good_id(part: Part) -> Part:
    if isinstance(part, ToolCall) and (call_id := new_id(part.id)) != part.id:
        return msgspec.structs.replace(part, id=call_id)
    if isinstance(part, ToolResult) and (call_id := new_id(part.call_id)) != part.call_id:
        return msgspec.structs.replace(part, call_id=call_id)
    return part


def _without_pictures(message: Message, called: Mapping[str, str]) -> tuple[Message, list[Part]]:
    parts: list[Part] = []
    shown: list[Part] = []
    for part in message.parts:
        images = [each for each in part.parts if isinstance(each, Image)] if isinstance(part, ToolResult) else []
        if not isinstance(part, ToolResult) or not images:
            parts.append(part)
            continue
        texts = tuple(each for each in part.parts if isinstance(each, Text)) or (Text(text=_ELSEWHERE),)
        parts.append(msgspec.structs.replace(part, parts=texts))
        shown += [Text(text=f"From the result of {called.get(part.call_id) or 'the tool'}:"), *images]
    return msgspec.structs.replace(message, parts=tuple(parts)), shown
