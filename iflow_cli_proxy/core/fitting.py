"""A request in canonical words, made so that one upstream takes it and nothing of it is lost.

What a profile says an upstream refuses is said in another way: pictures of tool results by the user, a late system
message as a reminder, a schema that cannot be enforced as a wish. Pure, and used for translated requests only: between
equals the client's own words travel on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.core.schemas import cleaned
from iflow_cli_proxy.core.tool_names import new_id, new_names

_BUDGETS: Final = ((2_048, "low"), (12_288, "medium"))
"""Thinking tokens up to which an effort is what its word says; beyond the last it is high."""
_HIGH: Final = "high"
_EFFORTS: Final = {"max": _HIGH}
"""Words of others that Chat Completions does not have (OpenAI API reference, `reasoning_effort`)."""
_ELSEWHERE: Final = "(the picture follows)"
_BETWEEN: Final = "\n\n"
_USUAL_LIMIT: Final = "max_tokens"
_USUAL_THOUGHT: Final = "reasoning_content"
_OTHER_FIELDS: Final = ("reasoning", "reasoning_details")
_LONGEST_USER: Final = 64


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    request: ChatRequest
    names: Mapping[str, str] = {}
    """The client's names of tools to the upstream's, where they differ."""
    notes: tuple[Note, ...] = ()


def fitted(request: ChatRequest, profile: Profile) -> Fitted:
    """Raises InvalidRequest for what cannot be said to this upstream in any way."""
    notes: list[Note] = []
    names = new_names(_tool_names(request), profile.tool_name_length)
    notes += [Note("tools", f"{old} is called {new} upstream") for old, new in names.items()]
    if names:
        request = _renamed(request, names)
    for step in _STEPS:
        request = step(request, profile, notes)
    return Fitted(request=request, names=names, notes=tuple(notes))


def refuses(profile: Profile) -> bool:
    """Whether an upstream that was probed takes less than its clients may ask for, so that even a request in its own
    protocol has to be fitted."""
    answers = (
        profile.tools, profile.tool_choice, profile.late_system, profile.json_schema, profile.many_choices,
        profile.stop_sequences, profile.effort, profile.wants_reasoning_back,
    )  # fmt: skip
    return False in answers or bool(profile.refused_schema_words) or profile.wants_reasoning_back is True


def fitted_fields(fields: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Top-level fields of a body, whoever worded it, under the names that the upstream knows."""
    limit = profile.max_tokens_field
    if limit == _USUAL_LIMIT or _USUAL_LIMIT not in fields:
        return fields
    others = {name: value for name, value in fields.items() if name != _USUAL_LIMIT}
    return {**others, limit: others.get(limit, fields[_USUAL_LIMIT])}


def given_back(fields: Mapping[str, Any], profile: Profile) -> Mapping[str, Any]:
    """Chat Completions fields with earlier thinking where this upstream looks for it."""
    if profile.reasoning_field not in _OTHER_FIELDS:
        return fields
    return {**fields, "messages": [_moved(message, profile.reasoning_field) for message in fields["messages"]]}


def _moved(message: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    if _USUAL_THOUGHT not in message:
        return message
    others = {name: value for name, value in message.items() if name not in (_USUAL_THOUGHT, "signature")}
    thought, signature = message[_USUAL_THOUGHT], message.get("signature")
    if field == "reasoning":
        return {**others, field: thought} | ({"signature": signature} if signature else {})
    detail = {"type": "reasoning.text", "text": thought} | ({"signature": signature} if signature else {})
    return {**others, field: [detail]}


# --- tools --------------------------------------------------------------------------------------------------------


def _tool_names(request: ChatRequest) -> Iterator[str]:
    yield from (tool.name for tool in request.tools)
    for message in request.messages:
        yield from (part.name for part in message.parts if isinstance(part, ToolCall))


def _renamed(request: ChatRequest, names: Mapping[str, str]) -> ChatRequest:
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
        messages=_each_part(request.messages, rename),
    )


def _with_possible_tools(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
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


def _with_possible_sampling(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Raises InvalidRequest where several answers are asked for and only one can be given."""
    sampling = request.sampling
    if sampling.n > 1 and profile.many_choices is False:
        raise InvalidRequest("This upstream gives one answer at a time.", param="n", hint="ask several times")
    if sampling.stop and profile.stop_sequences is False:
        notes.append(Note("stop", "the upstream takes no stop sequences"))
        request = msgspec.structs.replace(request, sampling=msgspec.structs.replace(sampling, stop=()))
    return request


def _with_clean_schemas(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    if not profile.refused_schema_words:
        return request
    tools = []
    for at, tool in enumerate(request.tools):
        schema = tool.parameters and cleaned(tool.parameters, profile.refused_schema_words)
        if schema is not tool.parameters:
            notes.append(Note(f"tools[{at}]", "schema keywords that the upstream refuses were told in words"))
        tools.append(msgspec.structs.replace(tool, parameters=schema))
    return msgspec.structs.replace(request, tools=tuple(tools))


def _with_results_alone(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Good ids on calls and results; and pictures of results shown by the user, behind the results of that turn."""
    messages: list[Message] = []
    pictures: list[Part] = []
    called: dict[str, str] = {}
    for message in _each_part(request.messages, _with_good_id):
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


# --- turns --------------------------------------------------------------------------------------------------------


def _with_early_system(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Where only one system message is taken, and only as the first: those at the beginning are one, and a later one
    becomes a reminder in a user's turn."""
    if profile.late_system is not False:
        return request
    messages = list(request.messages)
    begin = _begin(messages)
    for at, message in enumerate(messages[begin:], begin):
        if message.role is Role.SYSTEM:
            notes.append(Note(f"messages[{at}]", "the upstream takes no late system message; it is a user's reminder"))
            text = f"<system-reminder>\n{_text_of(message.parts)}\n</system-reminder>"
            messages[at] = Message(role=Role.USER, parts=(Text(text=text),))
    if begin > 1:
        parts = tuple(part for message in messages[:begin] for part in message.parts)
        messages[:begin] = [msgspec.structs.replace(messages[0], parts=parts)]
    return msgspec.structs.replace(request, messages=tuple(messages))


def _begin(messages: Sequence[Message]) -> int:
    """How many system messages stand before all others."""
    return next((at for at, one in enumerate(messages) if one.role is not Role.SYSTEM), len(messages))


def _plainer(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Several texts in a row as one: many servers take lists of parts from users only, some from nobody."""
    return msgspec.structs.replace(request, messages=tuple(_plain(message) for message in request.messages))


def _plain(message: Message) -> Message:
    parts: list[Part] = [_plain_result(part) if isinstance(part, ToolResult) else part for part in message.parts]
    if message.role is Role.ASSISTANT:
        parts = _with_one_text(parts)
    parts = list(_joined(parts))
    is_same = len(parts) == len(message.parts) and all(
        new is old for new, old in zip(parts, message.parts, strict=True)
    )
    return message if is_same else msgspec.structs.replace(message, parts=tuple(parts))


def _plain_result(result: ToolResult) -> ToolResult:
    parts = tuple(_joined(result.parts))
    return result if len(parts) == len(result.parts) else msgspec.structs.replace(result, parts=parts)


def _with_one_text(parts: list[Part]) -> list[Part]:
    """What an assistant said before and after its calls: Chat Completions has one place for it."""
    texts = [part.text for part in parts if isinstance(part, Text) and part.text]
    if len(texts) < 2:
        return parts
    first = next(at for at, part in enumerate(parts) if isinstance(part, Text) and part.text)
    rest = [part for part in parts[first:] if not isinstance(part, Text)]
    before = [part for part in parts[:first] if not isinstance(part, Text)]
    return [*before, Text(text=_BETWEEN.join(texts)), *rest]


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    texts: list[Text] = []
    for part in parts:
        if isinstance(part, Text):
            texts += [part] if part.text else []
            continue
        yield from _as_one(texts)
        texts = []
        yield part
    yield from _as_one(texts)


def _as_one(texts: list[Text]) -> list[Text]:
    return texts if len(texts) < 2 else [Text(text=_BETWEEN.join(text.text for text in texts))]


def _with_short_user(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """Agents put whole objects there, of which some upstreams take 64 characters; all that counts is who is who."""
    if len(request.user) <= _LONGEST_USER:
        return request
    return msgspec.structs.replace(request, user=sha256(request.user.encode("utf-8", "surrogatepass")).hexdigest())


# --- thinking and form --------------------------------------------------------------------------------------------


def _with_thinking(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """The wish in the one word that Chat Completions has, and earlier thinking as the upstream wants it."""
    thinking = request.thinking
    effort = _EFFORTS.get(thinking.effort, thinking.effort) or _effort_of(thinking)
    if effort and (profile.effort is False or (effort == "none" and not profile.effort_none)):
        notes.append(Note("thinking", "the upstream has no say in how much is thought"))
        effort = ""
    request = msgspec.structs.replace(request, thinking=msgspec.structs.replace(thinking, effort=effort))
    match profile.wants_reasoning_back:
        case True:
            return msgspec.structs.replace(request, messages=tuple(_with_thought(one) for one in request.messages))
        case False:
            keep = tuple(_without_thought(one) for one in request.messages)
            return msgspec.structs.replace(request, messages=keep)
        case None:
            return request


def _effort_of(thinking: Thinking) -> str:
    if thinking.is_on is False:
        return "none"
    if thinking.budget is None or thinking.budget < 0:
        return ""
    if not thinking.budget:
        return "none"
    return next((word for most, word in _BUDGETS if thinking.budget <= most), _HIGH)


def _with_thought(message: Message) -> Message:
    """A turn that calls tools has thought something, be it nothing that the client has kept, or only a seal of it."""
    has_call = any(isinstance(part, ToolCall) for part in message.parts)
    if not has_call or any(isinstance(part, Reasoning) and part.text for part in message.parts):
        return message
    return msgspec.structs.replace(message, parts=(Reasoning(text=" "), *message.parts))


def _without_thought(message: Message) -> Message:
    kept = tuple(part for part in message.parts if not isinstance(part, Reasoning))
    return message if len(kept) == len(message.parts) else msgspec.structs.replace(message, parts=kept)


def _with_format(request: ChatRequest, profile: Profile, notes: list[Note]) -> ChatRequest:
    """A schema that the upstream cannot hold an answer to is asked for in words, at the end of the system prompt."""
    wanted = request.response_format or {}
    if wanted.get("type") != "json_schema" or profile.json_schema is not False:
        return request
    schema: Any = (wanted.get("json_schema") or {}).get("schema")
    notes.append(Note("response_format", "the upstream enforces no schema; it is asked for in words"))
    words = f"Answer with one JSON value that fits this JSON schema, and nothing else:\n{jsonx.encode(schema).decode()}"
    prompt = request.messages[: _begin(request.messages)]
    last = prompt[-1] if prompt else Message(role=Role.SYSTEM)
    asking = msgspec.structs.replace(last, parts=(*last.parts, Text(text=words)))
    return msgspec.structs.replace(
        request,
        response_format=None if profile.json_object is False else {"type": "json_object"},
        messages=(*prompt[:-1], asking, *request.messages[len(prompt) :]),
    )


# --- shared -------------------------------------------------------------------------------------------------------


def _each_part(messages: Iterable[Message], change: Callable[[Part], Part]) -> tuple[Message, ...]:
    out = []
    for message in messages:
        parts = tuple(change(part) for part in message.parts)
        is_same = all(new is old for new, old in zip(parts, message.parts, strict=True))
        out.append(message if is_same else msgspec.structs.replace(message, parts=parts))
    return tuple(out)


def _text_of(parts: Iterable[Part]) -> str:
    return _BETWEEN.join(part.text for part in parts if isinstance(part, Text))


_STEPS: Final = (
    _with_possible_tools,
    _with_possible_sampling,
    _with_clean_schemas,
    _with_results_alone,
    _with_early_system,
    _with_thinking,
    _with_format,
    _with_short_user,
    _plainer,
)
