"""The arguments of a tool call as the text the service takes: whole JSON, whatever the history holds.

A call whose stream was cut, or one an agent wrote by hand, may hold less; one such message makes the service refuse the
whole conversation. Refuses to know messages.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError

_NONE: Final = "{}"
_UNREADABLE: Final = "arguments"
"""The key under which text that is no JSON is handed on."""
_CLOSER: Final = {"{": "}", "[": "]"}
_ESCAPE: Final = "\\"
_QUOTE: Final = '"'

_check: Final = jsonx.typed(jsonx.Raw)
"""Reads a text to its end without building anything."""


def mended(arguments: Json) -> str:
    """`arguments` as JSON text, unchanged if it is that already."""
    if not isinstance(arguments, str):
        return _NONE if arguments is None else jsonx.encode(arguments).decode()
    if _is_json(arguments):
        return arguments
    if not arguments.strip():
        return _NONE
    closed = arguments + _missing_end(arguments)
    return closed if _is_json(closed) else jsonx.encode({_UNREADABLE: arguments}).decode()


def _is_json(text: str) -> bool:
    try:
        _check(text.encode())
    except JsonError:
        return False
    return True


def _missing_end(text: str) -> str:
    """What would close the string and the brackets that are open at the end of `text`."""
    open_brackets: list[str] = []
    is_in_string = is_escaped = False
    for letter in text:
        if is_in_string:
            is_in_string = is_escaped or letter != _QUOTE
            is_escaped = not is_escaped and letter == _ESCAPE
        elif letter == _QUOTE:
            is_in_string = True
        elif letter in _CLOSER:
            open_brackets.append(_CLOSER[letter])
        elif letter in _CLOSER.values() and open_brackets:
            open_brackets.pop()
    return (_QUOTE if is_in_string else "") + "".join(reversed(open_brackets))
