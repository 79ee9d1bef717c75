from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Final

import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.telemetry.traces import Span, open_sender
from tests.support.collector import collecting

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED: Final = Span(
    name="chat m",
    trace_id=TRACE,
    span_id="00000000000000a1",
    parent_id="00000000000000f0",
    state="rojo=1,congo=t61",
    is_server=True,
    has_remote_parent=True,
    started_at=1_700_000_000.25,
    ended_at=1_700_000_003.5,
    attributes={"gen_ai.request.model": "m", "http.response.status_code": 502, "gen_ai.request.stream": True},
    error="overloaded",
)
TRIED: Final = replace(
    ASKED, span_id="00000000000000a2", parent_id=ASKED.span_id, is_server=False, has_remote_parent=False, error=""
)


def settings(url: str, **changes: object) -> TracingSettings:
    return replace(TracingSettings(enabled=True, endpoint=url), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", "/", "/v1/traces", "/v1/traces/"])
def test_spans_arrive_with_the_ids_and_times_they_were_given(path: str) -> None:
    with collecting() as collector:
        sender = open_sender(settings(f"{collector.url}{path}", headers={"x-team": "ours"}, service_name="gateway"))
        sender.send([ASKED, TRIED])
        sender.close()

    asked, tried = sorted(collector.spans, key=lambda one: one.span_id)
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.headers[0]["x-team"] == "ours"
    assert (asked.name, asked.kind, asked.error) == ("chat m", "server", "overloaded")
    assert (asked.trace_id, asked.span_id, asked.parent_id) == (TRACE, ASKED.span_id, ASKED.parent_id)
    assert asked.state == ASKED.state
    assert (asked.started_at, asked.ended_at) == pytest.approx((1_700_000_000.25, 1_700_000_003.5), abs=1e-5)
    assert asked.attributes == ASKED.attributes
    assert (tried.kind, tried.parent_id, tried.error) == ("client", asked.span_id, "")
    assert (asked.resource["service.name"], asked.resource["service.version"]) == ("gateway", __version__)


def test_a_span_without_a_parent_begins_a_trace() -> None:
    with collecting() as collector:
        sender = open_sender(settings(collector.url))
        sender.send([replace(ASKED, parent_id="", state="")])
        sender.close()

    [asked] = collector.spans
    assert (asked.trace_id, asked.span_id, asked.parent_id) == (TRACE, ASKED.span_id, "")


def test_spans_leave_by_themselves() -> None:
    with collecting() as collector:
        sender = open_sender(settings(collector.url))
        sender.send([ASKED])
        collector.wait_for(1)
        sender.close()
        sender.close()


def test_a_collector_that_stands_still_holds_up_neither_work_nor_end() -> None:
    with collecting() as collector:
        collector.stands_still.set()
        sender = open_sender(settings(collector.url))
        began = time.monotonic()
        for _ in range(5000):
            sender.send([ASKED])
        sent_s = time.monotonic() - began
        sender.close()
        closed_s = time.monotonic() - began - sent_s

    assert sent_s < 5.0
    assert closed_s < 4.0


def test_a_collector_that_is_down_harms_nobody_and_is_complained_of_seldom(caplog: pytest.LogCaptureFixture) -> None:
    complainer = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    sender = open_sender(settings("http://127.0.0.1:9"))
    sender.send([ASKED])
    for _ in range(50):
        complainer.error("the collector is down")
    assert caplog.text.count("the collector is down") == 1
    sender.close()
    complainer.error("the collector is down")

    assert caplog.text.count("the collector is down") == 2, "whoever else uses it is left alone"
