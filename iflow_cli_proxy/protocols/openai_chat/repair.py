"""Chat Completions messages that every upstream would refuse, mended or refused with the path of what is wrong.

Only what cannot work anywhere is touched: calls without results, results without calls or apart from them, arguments
that are no JSON, lists of calls or of parts with nothing in them. What some upstreams dislike (two system messages, an
empty text) is their provider's business. A conversation in which nothing is wrong keeps its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json, without
from iflow_cli_proxy.core.repair import Note, Turn, is_json, mended_arguments, results_of
from iflow_cli_proxy.protocols.base import Envelope

_NOTHING: Final = ""


def repair(envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
    """The envelope itself when nothing is wrong with its messages, else a mended one and what was done.

    Raises:
        InvalidRequest: the arguments of a call are no JSON and cannot be made any; `param` is their path.
    """
    messages = envelope.values["messages"]
    if _is_sound(messages):
        return envelope, ()
    notes: list[Note] = []
    mended = _in_order([_mended(message, f"messages[{at}]", notes) for at, message in enumerate(messages)], notes)
    if not notes:
        return envelope, ()
    changed = {"messages": mended}
    envelope = msgspec.structs.replace(
        envelope, values={**envelope.values, **changed}, fields={**envelope.fields, **changed}
    )
    return envelope, tuple(notes)


def _is_sound(messages: Sequence[Mapping[str, Json]]) -> bool:
    """A quick look that knows how a good conversation usually stands; whatever else there is is looked at closely."""
    waiting: set[str] = set()
    for message in messages:
        content = message.get("content")
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting or content is None or content == []:
                return False
            waiting.remove(message["tool_call_id"])
            continue
        if waiting or content == []:
            return False
        if "tool_calls" not in message:
            if content is None:
                return False
            continue
        calls = message["tool_calls"] or ()
        waiting = {call.get("id") or "" for call in calls}
        if len(waiting) != len(calls) or not calls or not all(_is_whole(call) for call in calls):
            return False
    return not waiting


def _is_whole(call: Mapping[str, Any]) -> bool:
    function = call.get("function")
    if function is None:
        return True
    arguments = function.get("arguments")
    return isinstance(arguments, str) and is_json(arguments)


# --- one message --------------------------------------------------------------------------------------------------


def _mended(message: Mapping[str, Json], path: str, notes: list[Note]) -> Mapping[str, Json]:
    if "tool_calls" in message:
        message = _with_whole_calls(message, path, notes)
    content = message.get("content")
    is_silent = content is None and not _says_more(message)
    if content == [] or is_silent:
        notes.append(Note(f"{path}.content", "made an empty text"))
        message = {**message, "content": _NOTHING}
    return message


def _says_more(message: Mapping[str, Json]) -> bool:
    """Whether it may do without content: it makes calls, in the new form or in the old one, or is not text at all."""
    return message["role"] == "assistant" and any(
        message.get(name) for name in ("tool_calls", "function_call", "audio", "refusal")
    )


def _with_whole_calls(message: Mapping[str, Json], path: str, notes: list[Note]) -> Mapping[str, Json]:
    calls = message["tool_calls"]
    if not calls:
        if calls is not None:
            notes.append(Note(f"{path}.tool_calls", "removed: it is empty"))
        return message if calls is None else without(message, "tool_calls")
    whole = [_with_whole_arguments(call, f"{path}.tool_calls[{at}]", notes) for at, call in enumerate(calls)]
    return (
        {**message, "tool_calls": whole}
        if any(new is not old for new, old in zip(whole, calls, strict=True))
        else message
    )


def _with_whole_arguments(call: Mapping[str, Any], path: str, notes: list[Note]) -> Mapping[str, Any]:
    function = call.get("function")
    if function is None:
        return call
    arguments, path = function.get("arguments"), f"{path}.function.arguments"
    good = mended_arguments(arguments)
    if good is None:
        raise InvalidRequest(f"`{path}`: the arguments of a call must be JSON as text.", param=path)
    if good == arguments:
        return call
    is_cut = isinstance(arguments, str) and bool(arguments.strip())
    notes.append(Note(path, "closed: the text was cut off" if is_cut else "written as JSON text"))
    return {**call, "function": {**function, "arguments": good}}


# --- the conversation ---------------------------------------------------------------------------------------------


def _in_order(messages: Sequence[Mapping[str, Json]], notes: list[Note]) -> list[Mapping[str, Json]]:
    """Every call with its result behind it, and no result without a call."""
    turns = [_turn(message) for message in messages]
    results = results_of(turns)
    answering = {found for each in results.values() for found in each}
    lost = [at for at, turn in enumerate(turns) if turn.answers is not None and at not in answering]
    notes += [Note(f"messages[{at}]", "removed: it answers no call") for at in lost]
    ordered: list[Mapping[str, Json]] = []
    for at, (message, turn) in enumerate(zip(messages, turns, strict=True)):
        if turn.answers is not None:
            continue
        ordered.append(message)
        ordered += _behind(at, turn, results.get(at, ()), messages, notes)
    return ordered


def _turn(message: Mapping[str, Json]) -> Turn:
    if message["role"] == "tool":
        return Turn(answers=message["tool_call_id"])
    if message["role"] != "assistant":
        return Turn()
    return Turn(calls=tuple(call.get("id") or "" for call in message.get("tool_calls") or ()))


def _behind(
    at: int, turn: Turn, results: Sequence[int | None], messages: Sequence[Mapping[str, Json]], notes: list[Note]
) -> Iterator[Mapping[str, Json]]:
    for place, found in enumerate(results):
        if found is None:
            notes.append(Note(f"messages[{at}].tool_calls[{place}]", "given an empty result"))
            yield {"role": "tool", "tool_call_id": turn.calls[place], "content": _NOTHING}
            continue
        if not at < found <= at + len(results):
            notes.append(Note(f"messages[{found}]", f"moved behind its call in messages[{at}]"))
        yield messages[found]
