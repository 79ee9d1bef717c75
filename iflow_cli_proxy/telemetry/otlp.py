"""Spans over OTLP by HTTP, as OpenTelemetry's SDK sends them: in batches, from a thread of its own.

Imported only where traces are wanted; what it imports is the extra `otel`. Whether a span is recorded was decided when
its request came.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.telemetry.traces import Span

_PATH: Final = "/v1/traces"
_BATCH_MS: Final = 1000
_MOST_WAITING: Final = 2048
_MOST_AT_ONCE: Final = 512
_SENDING_S: Final = 5.0
"""How long one batch may take, tries included."""
_LAST_SPANS_S: Final = 2.0
"""For how long a collector that does not answer may hold up the end of the process."""
_SILENCE_S: Final = 60.0
_COMPLAINER: Final = logging.getLogger(OTLPSpanExporter.__module__)
_NS: Final = 1_000_000_000


class OtlpSender:
    """`send` belongs to one thread."""

    def __init__(self, settings: TracingSettings) -> None:
        address = settings.endpoint.rstrip("/")
        exporter = OTLPSpanExporter(
            endpoint=address if address.endswith(_PATH) else address + _PATH,
            headers=dict(settings.headers),
            timeout=_SENDING_S,
        )
        batches = BatchSpanProcessor(
            exporter,
            max_queue_size=_MOST_WAITING,
            schedule_delay_millis=_BATCH_MS,
            max_export_batch_size=_MOST_AT_ONCE,
        )
        self._complaints = _Seldom()
        _COMPLAINER.addFilter(self._complaints)
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": settings.service_name, "service.version": __version__}),
            sampler=ALWAYS_ON,
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(batches)
        self._tracer = self._provider.get_tracer("iflow2api", __version__)

    def send(self, spans: Iterable[Span]) -> None:
        for span in spans:
            self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
            made = self._tracer.start_span(
                span.name,
                context=_context(span),
                kind=SpanKind.SERVER if span.is_server else SpanKind.CLIENT,
                attributes=span.attributes,
                start_time=int(span.started_at * _NS),
            )
            if span.error:
                made.set_status(Status(StatusCode.ERROR, span.error))
            made.end(int(span.ended_at * _NS))

    def close(self) -> None:
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(_LAST_SPANS_S)
        _COMPLAINER.removeFilter(self._complaints)


class _Seldom(logging.Filter):
    """One line a minute of each kind: a collector that is down is complained of with every batch, for hours."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        told_at = self._told_at.get(record.msg)
        if told_at is not None and record.created - told_at < _SILENCE_S:
            return False
        self._told_at[record.msg] = record.created
        return True


class _GivenIds(IdGenerator):
    """Ids are ours: an upstream was told them while the work was going on."""

    trace_id = 1
    span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _context(span: Span) -> Context:
    """The parent, as OpenTelemetry wants to be told of it."""
    if not span.parent_id:
        return Context()
    parent = SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span.parent_id, 16),
        is_remote=span.has_remote_parent,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([span.state]) if span.state else None,
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())
