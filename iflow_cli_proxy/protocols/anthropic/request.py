"""Messages requests: checked, read as ChatRequest, and written from one.

What the canonical form cannot say again is kept in extras as it was written: of the request by field, of a message
under `content` (its blocks), `fields` (what it has beside role and content) and `is_apart` (it stands in a turn of its
own where messages like it would share one, or among the messages where it would be the system prompt).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling
from iflow_cli_proxy.protocols.anthropic.blocks import decode_blocks, encode_blocks, encode_content
from iflow_cli_proxy.protocols.anthropic.thinking import decode_format, decode_thinking, encode_answer_form
from iflow_cli_proxy.protocols.anthropic.tools import decode_tools, encode_tools
from iflow_cli_proxy.protocols.anthropic.wire import BLOCKS, PROTOCOL, Blocks, WireRequest
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.checking import invalid, read_object

_ENVELOPE_FIELDS: Final = ("model", "stream")
_SPOKEN: Final = frozenset({*_ENVELOPE_FIELDS, "messages", "system"})
"""Fields that never ride as extras of the request."""
_HOSTED: Final = ("mcp_servers", "container", "context_management")
"""What Anthropic does on its own side."""
_BILLING: Final = "x-anthropic-billing-header:"
_RESULT: Final = "tool_result"
_CONTENT: Final = "content"
_FIELDS: Final = "fields"
_APART: Final = "is_apart"
_HOTTEST: Final = 1.0


def read_envelope(inbound: Inbound) -> Envelope:
    """Check everything we promise to check, once, before anything goes upstream."""
    try:
        values = read_object(inbound.body)
        request = jsonx.convert(values, WireRequest)
        _check_blocks(values.get("system"), "system")
        for at, message in enumerate(values["messages"]):
            _check_blocks(message[_CONTENT], f"messages[{at}].{_CONTENT}")
    except JsonError as error:
        raise invalid(error, inbound.body) from error
    return Envelope(
        model=request.model,
        is_stream=bool(request.stream),
        wants_usage=bool(request.stream),
        fields=jsonx.without(jsonx.raw_fields(inbound.body), *_ENVELOPE_FIELDS),
        values=values,
    )


def _check_blocks(content: Json, path: str) -> None:
    """Every block of a type we know, and those inside of it. Raises JsonError."""
    for at, block in enumerate(content if isinstance(content, list) else ()):
        here = f"{path}[{at}]"
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            raise JsonError("Field required", f"{here}.type")
        if (shape := BLOCKS.get(kind)) is None:
            continue
        jsonx.convert(block, shape, here)
        if kind in (_RESULT, "search_result"):
            _check_blocks(block.get(_CONTENT), f"{here}.{_CONTENT}")
        elif kind == "document":
            _check_blocks(block["source"].get(_CONTENT), f"{here}.source.{_CONTENT}")


# --- decode -------------------------------------------------------------------------------------------------------


def decode_request(envelope: Envelope) -> ChatRequest:
    values = envelope.values
    toolbox = decode_tools(values)
    notes: list[Note] = []
    messages = [*_decode_system(values.get("system"), notes), *_decode_messages(values["messages"], notes)]
    notes += toolbox.notes
    notes += [Note(name, "left out: only Anthropic does this") for name in _HOSTED if values.get(name)]
    request = ChatRequest(
        model=envelope.model,
        messages=tuple(messages),
        is_stream=envelope.is_stream,
        wants_usage=envelope.wants_usage,
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        allows_parallel_calls=toolbox.allows_parallel_calls,
        sampling=_decode_sampling(values),
        thinking=decode_thinking(values),
        response_format=decode_format(values),
        user=(values.get("metadata") or {}).get("user_id") or "",
        notes=tuple(notes),
    )
    said = _encode_settings(request, {})
    extras = {
        name: value
        for name, value in values.items()
        if name not in _SPOKEN and value is not None and said.get(name) != value
    }
    return msgspec.structs.replace(request, extras={PROTOCOL: extras}) if extras else request


def _decode_sampling(values: Mapping[str, Json]) -> Sampling:
    return Sampling(
        max_tokens=values.get("max_tokens"),
        temperature=values.get("temperature"),
        top_p=values.get("top_p"),
        top_k=values.get("top_k"),
        stop=tuple(values.get("stop_sequences") or ()),
    )


def _decode_system(system: Json, notes: list[Note]) -> Iterator[Message]:
    """The system prompt without what Claude Code bills by: it is new in each request, and spoils prompt caches."""
    if not system:
        return
    given = [{"type": "text", "text": system}] if isinstance(system, str) else system
    kept = [block for block in map(_without_billing, given) if block is not None]
    if any(after is not before for after, before in zip(kept, given, strict=False)) or len(kept) < len(given):
        notes.append(Note("system", "the billing header was left out: it changes with every request"))
        system = kept[0]["text"] if kept and isinstance(system, str) else kept
    if kept:
        yield _message(Role.SYSTEM, system, "system", notes)


def _without_billing(block: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """A block that begins with the header loses that line; None when nothing else was in it."""
    text = block.get("text")
    if not isinstance(text, str) or not text.startswith(_BILLING):
        return block
    rest = text.partition("\n")[2]
    return {**block, "text": rest} if rest.strip() else None


def _decode_messages(given: Sequence[Mapping[str, Json]], notes: list[Note]) -> Iterator[Message]:
    """In a user's turn each result of a tool becomes a message; what else was said stands behind them."""
    before: Role | None = None
    for at, message in enumerate(given):
        first = True
        for decoded in _decode_turn(message, f"messages[{at}].{_CONTENT}", notes):
            is_apart = first and (
                decoded.role is Role.SYSTEM or (before is Role.TOOL and decoded.role in (Role.TOOL, Role.USER))
            )
            fields = jsonx.without(message, "role", _CONTENT) if first else {}
            yield _with_extras(decoded, {_APART: True} if is_apart else {}, {_FIELDS: fields} if fields else {})
            before, first = decoded.role, False


def _decode_turn(message: Mapping[str, Json], path: str, notes: list[Note]) -> Iterator[Message]:
    content = message[_CONTENT]
    role = Role(message["role"])
    results = [] if isinstance(content, str) else [at for at, block in enumerate(content) if block["type"] == _RESULT]
    if role is not Role.USER or not results:
        yield _message(role, content, path, notes)
        return
    for at in results:
        yield _message(Role.TOOL, [content[at]], path, notes, [at])
    rest = [at for at, block in enumerate(content) if block["type"] != _RESULT]
    if rest:
        yield _message(role, [content[at] for at in rest], path, notes, rest)


def _message(role: Role, content: Json, path: str, notes: list[Note], places: Sequence[int] | None = None) -> Message:
    """`places` are those of its blocks in the turn it shares with others, where a text never stands alone."""
    parts = decode_blocks(content, path, notes, places)
    message = Message(role=role, parts=tuple(parts))
    again = encode_content(parts) if places is None else encode_blocks(parts)
    return message if again == content else _with_extras(message, {_CONTENT: content})


def _with_extras(message: Message, *more: Mapping[str, Json]) -> Message:
    extras: dict[str, Json] = dict(message.extras.get(PROTOCOL, {}))
    for fields in more:
        extras |= fields
    return msgspec.structs.replace(message, extras={PROTOCOL: extras}) if extras else message


# --- encode -------------------------------------------------------------------------------------------------------


def encode_request(request: ChatRequest) -> dict[str, Json]:
    """Body fields without `model` and `stream`; absent stays absent, `max_tokens` included."""
    extras = request.extras.get(PROTOCOL, {})
    count = next((at for at, message in enumerate(request.messages) if not _is_prompt(message)), len(request.messages))
    fields: dict[str, Json] = {}
    if count:
        fields["system"] = _encode_system(request.messages[:count])
    fields["messages"] = list(_encode_turns(request.messages[count:]))
    return fields | _encode_settings(request, extras) | dict(extras)


def _encode_settings(request: ChatRequest, extras: Mapping[str, Json]) -> dict[str, Json]:
    sampling = request.sampling
    temperature = sampling.temperature
    fields: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": None if temperature is None else min(temperature, _HOTTEST),
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop_sequences": list(sampling.stop) or None,
        "metadata": {"user_id": request.user} if request.user else None,
    }
    settings = {name: value for name, value in fields.items() if value is not None}
    return settings | encode_tools(request) | encode_answer_form(request, extras)


def _is_prompt(message: Message) -> bool:
    """Whether a message that is among the first belongs into `system`."""
    return message.role is Role.SYSTEM and not _own(message).get(_APART)


def _own(message: Message) -> Mapping[str, Json]:
    return message.extras.get(PROTOCOL, {})


def _encode_system(messages: Sequence[Message]) -> Json:
    if len(messages) == 1:
        return _content_of(messages[0])
    return [block for message in messages for block in _blocks_of(message)]


def _content_of(message: Message) -> Json:
    content = _own(message).get(_CONTENT)
    return encode_content(message.parts) if content is None else content


def _blocks_of(message: Message) -> Blocks:
    content = _own(message).get(_CONTENT)
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return encode_blocks(message.parts) if content is None else content


def _encode_turns(messages: Sequence[Message]) -> Iterator[dict[str, Json]]:
    """Results of tools stand together in one turn of the user's, with what the user says next behind them."""
    open_turn: dict[str, Json] | None = None
    """One of results only, which others may join."""
    for message in messages:
        own = _own(message)
        if open_turn is not None and (own.get(_APART) or message.role not in (Role.TOOL, Role.USER)):
            yield open_turn
            open_turn = None
        if open_turn is not None:
            open_turn[_CONTENT] += _blocks_of(message)
            if message.role is Role.USER:
                yield open_turn
                open_turn = None
        elif message.role is Role.TOOL:
            open_turn = {"role": "user", _CONTENT: list(_blocks_of(message)), **own.get(_FIELDS, {})}
        else:
            yield {"role": message.role.value, _CONTENT: _content_of(message), **own.get(_FIELDS, {})}
    if open_turn is not None:
        yield open_turn
