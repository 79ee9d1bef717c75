"""A collector of traces on loopback: what an OpenTelemetry exporter sends by HTTP, as plain values."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATIENCE_S = 20.0


@dataclass
class Collected:
    """One span, with the attributes of what sent it."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    kind: str
    started_at: float
    ended_at: float
    error: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Collector:
    url: str
    spans: list[Collected] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: bytes = b""
    paths: list[str] = field(default_factory=list)
    stands_still: threading.Event = field(default_factory=threading.Event)
    """Set: nothing is answered until it is cleared."""

    def wait_for(self, count: int) -> list[Collected]:
        """So many spans, or an AssertionError."""
        ends_at = time.monotonic() + _PATIENCE_S
        while len(self.spans) < count:
            assert time.monotonic() < ends_at, f"only {len(self.spans)} of {count} spans came"
            time.sleep(0.02)
        return self.spans


@contextmanager
def collecting() -> Iterator[Collector]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            while collector.stands_still.is_set():
                time.sleep(0.02)
            collector.raw += body
            collector.paths.append(self.path)
            collector.headers.append({name.lower(): text for name, text in self.headers.items()})
            collector.spans += _read(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield collector
    finally:
        collector.stands_still.clear()
        server.shutdown()
        thread.join()
        server.server_close()


def _read(message: Any) -> Iterator[Collected]:
    for group in message.resource_spans:
        resource = _values(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Collected(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    state=span.trace_state,
                    kind={2: "server", 3: "client"}.get(span.kind, "other"),
                    started_at=span.start_time_unix_nano / 1e9,
                    ended_at=span.end_time_unix_nano / 1e9,
                    error=span.status.message if span.status.code == 2 else "",
                    attributes=_values(span.attributes),
                    resource=resource,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
