"""One JSON file of another program, read for its sign-in: the object in it, or what is wrong, told as people count.

Refuses to know what the object means, and never writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.providers.discovery import Finding, Reader


def read_object(read: Reader, path: Path, way_out: str) -> tuple[dict[str, Any], float] | Finding | None:
    """The file's object and the time of its change; a finding when it cannot be used, None when there is no file.

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
        return decode_object(file.data), file.modified_at
    except JsonError as error:
        problem = f"is damaged: {describe(error, file.data)}"
        return Finding(where=str(path), problem=problem, hint=f"move it away, then {way_out}")


def decode_object(data: bytes) -> dict[str, Any]:
    """Raises JsonError when the bytes are no JSON object."""
    value = jsonx.decode(data)
    if not isinstance(value, dict):
        raise JsonError("it does not hold a JSON object")
    return value
