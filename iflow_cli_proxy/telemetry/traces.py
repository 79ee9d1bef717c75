"""What a collector of traces is told: one value for each piece of work that is over, with its ids and times.

Refuses to know OpenTelemetry, which is the extra `otel` and imported only where traces are wanted (`otlp.py`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.core.errors import ConfigError

Attribute: TypeAlias = str | int | float | bool

NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One piece of work that is over. Ids are hex, instants epoch seconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str = ""
    state: str = ""
    """`tracestate` of the client."""
    is_server: bool = False
    """Somebody asked us; else we asked somebody."""
    has_remote_parent: bool = False
    started_at: float
    ended_at: float
    attributes: Mapping[str, Attribute]
    error: str = ""
    """Its kind, where the work failed."""


def check_installed(settings: TracingSettings) -> None:
    """Raises ConfigError where traces are wanted and what they need is not there."""
    if settings.enabled and not all(map(is_installed, NEEDED)):
        raise ConfigError(
            "Traces need OpenTelemetry, which is not installed.",
            param="tracing.enabled",
            hint="pip install 'iflow2api[otel]', or set tracing.enabled to false",
        )


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


class SpanSender(Protocol):
    def send(self, spans: Iterable[Span]) -> None:
        """Take them; they leave within seconds. Neither waits nor raises: where too many wait, the oldest go."""
        ...

    def close(self) -> None:
        """Send what waits, unless that takes too long; blocks. Idempotent."""
        ...


def open_sender(settings: TracingSettings) -> SpanSender:
    """Raises ConfigError when OpenTelemetry is not installed."""
    check_installed(settings)
    from iflow_cli_proxy.telemetry.otlp import OtlpSender

    return OtlpSender(settings)
