"""Traces: one span for each question and one for each try at an upstream, told when the answer has ended.

Knows what OpenTelemetry's conventions for HTTP and for generative AI (2026-10) call what an exchange records. Refuses
to know how spans are sent, and what was said: no span holds a word of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiohttp import web

from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.core import trace as context
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.trace import Trace
from iflow_cli_proxy.gateway.record import CLIENT_GONE, AttemptRecord, Exchange
from iflow_cli_proxy.server.bookkeeping import usage_of
from iflow_cli_proxy.telemetry.redact import shown_name
from iflow_cli_proxy.telemetry.traces import Attribute, Span, SpanSender, open_sender

_OPERATIONS: Final = {
    "openai_completions": "text_completion",
    "openai_embeddings": "embeddings",
    "gemini": "generate_content",
}
_GOOD_ENDINGS: Final = ("", "cancelled")


class Tracing:
    """One for each server that traces."""

    def __init__(self, settings: TracingSettings, sender: SpanSender, clock: Clock, entropy: Entropy) -> None:
        self._settings = settings
        self._sender = sender
        self._clock = clock
        self._entropy = entropy

    @classmethod
    def open(cls, settings: TracingSettings, clock: Clock, entropy: Entropy) -> Tracing:
        """Raises ConfigError when OpenTelemetry is not installed."""
        return cls(settings, open_sender(settings), clock, entropy)

    def begin(self, request: web.Request) -> Trace:
        """A question has come: it goes on in the client's trace, or begins one."""
        headers, resource = request.headers, request.match_info.route.resource
        parent = None
        if context.PARENT in headers:
            parent = context.read_parent(headers.getall(context.PARENT), headers.getall(context.STATE, ()))
        return context.begin(
            parent,
            self._entropy,
            ratio=self._settings.sample_ratio,
            is_passed_on=self._settings.propagate,
            route=resource.canonical if resource is not None else "",
        )

    def note(self, exchange: Exchange) -> None:
        """An exchange has ended. What nobody records costs nothing more."""
        trace = exchange.trace
        if trace is not None and trace.is_sampled:
            # Monotonic instants become those of the day by this much.
            self._sender.send(_spans(exchange, trace, self._clock.now(), self._clock.monotonic()))

    def close(self) -> None:
        self._sender.close()


def _spans(exchange: Exchange, trace: Trace, now: float, monotonic: float) -> Iterator[Span]:
    """The question, then the tries: its own and those of what was asked for its sake (descriptions of images)."""
    shift = now - monotonic
    operation = _OPERATIONS.get(exchange.protocol, "chat")
    yield Span(
        name=f"{operation} {shown_name(exchange.asked)}".rstrip(),
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        state=trace.state,
        is_server=True,
        has_remote_parent=True,
        started_at=exchange.started_at + shift,
        ended_at=now,
        attributes=_of_question(exchange, trace, operation),
        error=_error(exchange) if exchange.status >= 500 or exchange.status == CLIENT_GONE else "",
    )
    tries = [*exchange.attempts, *(attempt for beside in exchange.beside for attempt in beside.attempts)]
    for number, attempt in enumerate(tries, 1):
        provider, _, model = attempt.route.partition("/")
        is_good = attempt.error_kind in _GOOD_ENDINGS
        yield Span(
            name=f"{operation} {shown_name(model)}",
            trace_id=trace.trace_id,
            span_id=trace.attempt_id(number),
            parent_id=trace.span_id,
            state=trace.state,
            started_at=attempt.started_at + shift,
            ended_at=attempt.started_at + attempt.duration_s + shift,
            attributes=_of_attempt(attempt, operation, provider, model, number),
            error="" if is_good else attempt.error_kind,
        )


def _of_question(exchange: Exchange, trace: Trace, operation: str) -> dict[str, Attribute]:
    usage = usage_of(exchange)
    found: dict[str, Attribute | None] = {
        "http.request.method": "POST",
        "http.route": trace.route,
        "http.response.status_code": exchange.status,
        "http.request.body.size": exchange.bytes_in,
        "http.response.body.size": exchange.bytes_out,
        "error.type": _error(exchange),
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": shown_name(exchange.asked),
        "gen_ai.request.stream": exchange.is_stream,
        "gen_ai.response.time_to_first_chunk": exchange.first_byte_s,
        "gen_ai.usage.input_tokens": usage.prompt or None,
        "gen_ai.usage.output_tokens": usage.completion or None,
        "gen_ai.usage.cache_read.input_tokens": usage.cached or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
        "iflow2api.request_id": exchange.request_id,
        "iflow2api.protocol": exchange.protocol,
        "iflow2api.key": exchange.client,
        "iflow2api.account": exchange.account,
        "iflow2api.attempts": len(exchange.attempts),
        "iflow2api.usage_is_estimated": usage.is_estimated or None,
    }
    if exchange.answered_by is not None:
        found["gen_ai.provider.name"] = exchange.answered_by.provider
        found["gen_ai.response.model"] = shown_name(exchange.answered_by.model)
    if exchange.first_byte_s is not None:
        found["iflow2api.overhead_s"] = max(0.0, exchange.first_byte_s - exchange.waited_s)
    return {name: value for name, value in found.items() if value not in (None, "")}


def _of_attempt(attempt: AttemptRecord, operation: str, provider: str, model: str, number: int) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": shown_name(model),
        "iflow2api.account": attempt.account,
        "iflow2api.attempt": number,
    }
    if attempt.status:
        found["http.response.status_code"] = attempt.status
    if attempt.error_kind:
        found["error.type"] = attempt.error_kind
    return found


def _error(exchange: Exchange) -> str:
    return exchange.error_kind or (str(exchange.status) if exchange.status >= 400 else "")
