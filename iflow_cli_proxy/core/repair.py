"""Which tool result belongs to which call, and argument text made whole.

Upstreams refuse a whole conversation for one call without a result, one result without a call, or one cut argument
text, and a client that has such a message in its history sends it again with every turn. Knows calls and results only
by their ids. Refuses to know how a protocol writes messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError

NO_ARGUMENTS: Final = "{}"
_CLOSER: Final = {"{": "}", "[": "]"}
_QUOTE: Final = '"'
_WHOLE_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET: Final = re.compile(r"[][{}]")
_LONGEST_MENDED: Final = 1_000_000
"""Characters of arguments that are closed where they were cut off; no model writes as many in one call."""

_check: Final = jsonx.typed(jsonx.Raw)
"""Reads a text to its end without building anything."""


class Note(msgspec.Struct, frozen=True):
    """One change to what a client sent: the JSON path in the client's own body, and what was done there."""

    path: str
    what: str


# --- calls and results --------------------------------------------------------------------------------------------


class Turn(msgspec.Struct, frozen=True):
    """One message, as far as tools are concerned: ids of the calls it makes, or the id of the call it answers."""

    calls: tuple[str, ...] = ()
    answers: str | None = None


def results_of(turns: Sequence[Turn]) -> dict[int, tuple[int | None, ...]]:
    """Which turns are the results of each turn with calls, as they are to stand behind it.

    One for each call and in their order, None where there is none; but results that stand right behind their calls
    already keep the order they have. A result whose number is nowhere here answers no call.
    """
    found: dict[int, list[int | None]] = {}
    asking: dict[str, list[list[tuple[int, int]]]] = {}
    """Call id to its unanswered calls, those of one turn together: some upstreams use an id again, and then the latest
    turn is answered first, within a turn the first call."""
    for number, turn in enumerate(turns):
        for call_id, places in _places(turn.calls).items():
            asking.setdefault(call_id, []).append([(number, at) for at in reversed(places)])
        if turn.calls:
            found[number] = [None] * len(turn.calls)
        if turn.answers is not None and (open_turns := asking.get(turn.answers)):
            caller, place = open_turns[-1].pop()
            found[caller][place] = number
            if not open_turns[-1]:
                open_turns.pop()
    return {caller: _as_they_stand(caller, results) for caller, results in found.items()}


def _places(calls: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, call_id in enumerate(calls):
        places.setdefault(call_id, []).append(at)
    return places


def _as_they_stand(caller: int, results: Sequence[int | None]) -> tuple[int | None, ...]:
    behind = range(caller + 1, caller + 1 + len(results))
    return tuple(behind) if set(results) == set(behind) else tuple(results)


# --- arguments ----------------------------------------------------------------------------------------------------


def mended_arguments(arguments: Json) -> str | None:
    """The arguments of a call as JSON text, unchanged if they are that already; None when nothing can be made of them.

    A text that was cut off is closed where it ends, unless it is so long that looking for its end would keep everybody
    else waiting.
    """
    if not isinstance(arguments, str):
        return NO_ARGUMENTS if arguments is None else jsonx.encode(arguments).decode()
    if is_json(arguments):
        return arguments
    if not arguments.strip():
        return NO_ARGUMENTS
    if len(arguments) > _LONGEST_MENDED:
        return None
    closed = arguments + _missing_end(arguments)
    return closed if is_json(closed) else None


def is_json(text: str) -> bool:
    try:
        _check(text.encode())
    except (JsonError, UnicodeEncodeError):
        return False
    return True


def _missing_end(text: str) -> str:
    """What would close the string and the brackets that are open at the end of `text`."""
    outside = _WHOLE_STRING.sub("", text)
    before, quote, _ = outside.partition(_QUOTE)
    open_brackets: list[str] = []
    for bracket in _BRACKET.findall(before):
        if bracket in _CLOSER:
            open_brackets.append(_CLOSER[bracket])
        elif open_brackets:
            open_brackets.pop()
    return quote + "".join(reversed(open_brackets))
