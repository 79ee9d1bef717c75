"""Where in a text of JSON something is wrong, told as people count: line and column, both from 1.

Knows byte offsets that the decoder names and paths such as `tokens.expires_at`. Refuses to guess: what cannot be found
has no position.
"""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.core.jsonx import JsonError

_BYTE: Final = re.compile(r" \(byte (\d+)\)$")
_VALUE: Final = re.compile(r"(?<=^Invalid enum value) .*", re.DOTALL)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]')


def describe(error: JsonError, data: bytes) -> str:
    """`line 3, column 7: Expected str, got int (label)`; never a value of the file."""
    if not data.strip():
        return "it is empty"
    what = _VALUE.sub("", _BYTE.sub("", error.what))
    if error.path:
        what = f"{what} ({error.path})"
    offset = _offset(error, data)
    return what if offset is None else f"{_line_and_column(data, offset)}: {what}"


def _offset(error: JsonError, data: bytes) -> int | None:
    if found := _BYTE.search(error.what):
        return int(found[1])
    if error.is_cut:
        return len(data)
    return _key_offset(data, error.path.split(".")) if error.path else None


def _line_and_column(data: bytes, offset: int) -> str:
    before = data[:offset]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return f"line {before.count(10) + 1}, column {column}"


def _key_offset(data: bytes, path: list[str]) -> int | None:
    """Where the last key of `path` begins, in a text that decodes; keys inside lists are not looked for."""
    keys: list[str] = []
    last = (0, "")
    for token in _TOKEN.finditer(data):
        match token[0]:
            case b"{" | b"[":
                keys.append(last[1])
                last = (0, "")
            case b"}" | b"]":
                keys = keys[:-1]
                last = (0, "")
            case b",":
                last = (0, "")
            case b":":
                if [*keys[1:], last[1]] == path:
                    return last[0]
            case text if not last[1]:
                last = (token.start(), text[1:-1].decode())
            case _:
                pass
    return None
