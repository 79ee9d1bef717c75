"""The live snapshot as `top` reads it: everything has a default, since a gateway may be of another version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.core import jsonx


@dataclass(frozen=True, kw_only=True)
class Minute:
    requests: int = 0
    errors: int = 0
    error_rate: float = 0.0
    tokens: int = 0
    tokens_per_s: float = 0.0
    first_byte_p50_s: float | None = None
    first_byte_p95_s: float | None = None
    errors_by_kind: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Second:
    requests: int = 0
    errors: int = 0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Request:
    id: str = ""
    protocol: str = ""
    model: str = ""
    route: str = ""
    account: str = ""
    key: str = ""
    phase: str = ""
    age_s: float = 0.0
    tokens: int = 0
    tokens_per_s: float = 0.0
    attempts: int = 0
    stream: bool = False


@dataclass(frozen=True, kw_only=True)
class Rest:
    reason: str = ""
    model: str = ""
    seconds_left: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AccountRow:
    provider: str = ""
    label: str = ""
    state: str = ""
    in_use: bool = True
    in_flight: int = 0
    requests: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    rests: list[Rest] = field(default_factory=list)
    open_breakers: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class OpenHost:
    host: str = ""
    provider: str = ""
    state: str = ""
    seconds_left: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    at: str = ""
    version: str = ""
    uptime_s: float = 0.0
    accepting: bool = True
    draining: bool = False
    minute: Minute = field(default_factory=Minute)
    history: list[Second] = field(default_factory=list)
    queue: int = 0
    in_flight_total: int = 0
    in_flight: list[Request] = field(default_factory=list)
    accounts: list[AccountRow] = field(default_factory=list)
    breakers: list[OpenHost] = field(default_factory=list)


read_snapshot: Final = jsonx.typed(Snapshot)
"""Raises JsonError for what no version says."""
