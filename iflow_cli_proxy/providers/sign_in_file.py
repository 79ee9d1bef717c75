"""One JSON file of another program, read for its sign-in: the object in it, or what is wrong, told as people count.

Refuses to know what the object means, and never writes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.providers.discovery import Finding, Reader

_BYTE: Final = re.compile(r" \(byte (\d+)\)$")


def read_object(read: Reader, path: Path, way_out: str) -> dict[str, Any] | Finding | None:
    """The file's object; a finding when it cannot be used, None when there is no file.

    `way_out` is what a person does about a damaged file, after moving it away.
    """
    try:
        file = read(path)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
        return Finding(where=str(path), problem=problem, hint="check its permissions")
    if file is None:
        return None
    try:
        return decode_object(file.data)
    except JsonError as error:
        problem = f"is damaged: {_place(error, file.data)}"
        return Finding(where=str(path), problem=problem, hint=f"move it away, then {way_out}")


def decode_object(data: bytes) -> dict[str, Any]:
    """Raises JsonError when the bytes are no JSON object."""
    value = jsonx.decode(data)
    if not isinstance(value, dict):
        raise JsonError("it does not hold a JSON object")
    return value


def _place(error: JsonError, data: bytes) -> str:
    """`line 3, column 7: ...` where the decoder names a byte."""
    if not data.strip():
        return "it is empty"
    what = _BYTE.sub("", error.what)
    found = _BYTE.search(error.what)
    if not found and not error.is_cut:
        return what
    before = data[: int(found[1])] if found else data
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return f"line {before.count(10) + 1}, column {column}: {what}"
