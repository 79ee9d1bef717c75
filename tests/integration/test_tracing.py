"""Traces from a real server to a collector, with the client's trace continued and, where wanted, the upstream told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.support.chat_stream import MODELS, request
from tests.support.collector import collecting
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY
from tests.support.raw_client import ask
from tests.support.raw_upstream import RawUpstream, answer
from tests.support.serving import serving

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"
PARENT: Final = f"traceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: rojo=1".encode()
BUSY: Final = answer(b'{"error":{"message":"too busy"}}', 503)


async def test_a_question_is_one_trace_from_the_client_to_the_upstream(tmp_path: Path) -> None:
    with collecting() as collector:
        env = {
            "IFLOW2API_TRACING_ENABLED": "true",
            "IFLOW2API_TRACING_ENDPOINT": collector.url,
            "IFLOW2API_TRACING_PROPAGATE": "true",
            "IFLOW2API_RESILIENCE_RETRY_BACKOFF_MS": "0",
        }
        async with RawUpstream([answer(MODELS)], [BUSY], [GOOD_ANSWER]) as upstream:
            with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path, env=env) as running:
                await upstream.got(1)
                good = await ask(int(running.url.rpartition(":")[2]), request(GOOD_BODY, PARENT))
            sent = upstream.requests
        spans = collector.spans

    assert good.status == 200
    [asked] = [one for one in spans if one.kind == "server"]
    tries = sorted((one for one in spans if one.kind == "client"), key=lambda one: one.attributes["iflow2api.attempt"])
    assert {(one.trace_id, one.state) for one in spans} == {(TRACE, "rojo=1")}
    assert (asked.parent_id, asked.attributes["http.route"]) == (SPAN, "/v1/chat/completions")
    assert asked.attributes["iflow2api.request_id"] == good.headers["x-request-id"]
    assert [(one.parent_id, one.error) for one in tries] == [
        (asked.span_id, "upstream_overloaded"),
        (asked.span_id, ""),
    ]
    assert all(asked.started_at <= one.started_at <= one.ended_at <= asked.ended_at + 0.001 for one in tries)
    assert [one.header("traceparent") for one in sent[1:]] == [f"00-{TRACE}-{one.span_id}-01" for one in tries]
    assert [one.header("tracestate") for one in sent[1:]] == ["rojo=1", "rojo=1"]


async def test_upstreams_are_not_told_unless_that_is_wanted(tmp_path: Path) -> None:
    with collecting() as collector:
        env = {"IFLOW2API_TRACING_ENABLED": "true", "IFLOW2API_TRACING_ENDPOINT": collector.url}
        async with RawUpstream([answer(MODELS)], [GOOD_ANSWER]) as upstream:
            with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path, env=env) as running:
                await upstream.got(1)
                await ask(int(running.url.rpartition(":")[2]), request(GOOD_BODY, PARENT))
            sent = upstream.requests

    assert len(collector.spans) == 2
    assert not sent[1].header("traceparent")
    assert not sent[1].header("tracestate")
