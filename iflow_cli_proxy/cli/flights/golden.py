"""A flight as a file of its own: a baseline that later ones are held against.

Knows the file's shape. Everything in it was masked when it was recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.flight_queries import FORMAT, VERSION, Found, golden


def save_golden(one: Found, path: Path) -> None:
    """Write the file, for its owner alone.

    Raises:
        ConfigError: nothing was recorded that could be saved.
        StateError: it cannot be written.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        raise ConfigError("The name of a file is needed, and this is a folder.", detail=str(path), param="--save")
    if path.exists() and not _is_golden(path):
        raise ConfigError(
            "That file exists already and is no recording; it stays as it is.",
            detail=str(path),
            param="--save",
            hint="name another file",
        )
    if one.flight is None:
        raise ConfigError(
            f"Of {one.row.request_id} only the row in the ledger is kept.",
            hint="`iflow2api config set recorder.enabled true`, then ask again",
        )
    write_private(path, jsonx.indented(golden(one.as_json())))


def read_golden(path: Path) -> dict[str, Json]:
    """What `save_golden` wrote.

    Raises:
        ConfigError: there is no such file, or it is none of ours.
    """
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The recording cannot be read: {error.strerror}.",
            detail=str(path),
            hint="`iflow2api explain ID --save FILE` writes one",
        ) from error
    found = _golden_in(data)
    if found is None:
        raise ConfigError(
            "This file is no recording of ours.", detail=str(path), hint="`iflow2api explain ID --save FILE` writes one"
        )
    return found


def _is_golden(path: Path) -> bool:
    try:
        return _golden_in(path.read_bytes()) is not None
    except OSError:
        return False


def _golden_in(data: bytes) -> dict[str, Any] | None:
    try:
        value = jsonx.decode(data)
    except JsonError:
        return None
    is_ours = isinstance(value, dict) and value.get("format") == FORMAT and value.get("version") == VERSION
    return value if is_ours and isinstance(value.get("flight"), dict) else None
