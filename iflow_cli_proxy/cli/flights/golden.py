"""A flight as a file of its own: a baseline that later ones are held against.

Knows the file's shape. Everything in it was masked when it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.flight_queries import FORMAT, VERSION, Found, golden

Headers: TypeAlias = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Side:
    """What `align` reads of one side of a flight; the file may have been written by hand."""

    headers: Headers
    bytes: int
    fields: list[str]
    body: str | None
    cut: bool


@dataclass(frozen=True, kw_only=True)
class _Asked(_Side):
    path: str
    query: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Sent(_Side):
    method: str
    url: str


@dataclass(frozen=True, kw_only=True)
class _Flight:
    client_request: _Asked
    upstream_request: list[_Sent | None]


@dataclass(frozen=True, kw_only=True)
class _Row:
    provider: str
    account: str
    protocol: str
    model_asked: str
    model_served: str
    stream: bool


@dataclass(frozen=True, kw_only=True)
class _Golden:
    row: _Row
    flight: _Flight


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
    if one.flight is None or "broken" in one.flight:
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
    try:
        jsonx.convert(found, _Golden)
    except JsonError as error:
        raise ConfigError(
            "This recording is not whole.",
            detail=f"{path}: {error.path}: {error.what}",
            hint="`iflow2api explain ID --save FILE` writes one",
        ) from error
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
