"""What a span says of a question and of each try. How spans travel is `unit/telemetry/test_otlp.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from iflow_cli_proxy.config.schema import TracingSettings
from iflow_cli_proxy.core.trace import Trace
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.server.tracing import Tracing
from iflow_cli_proxy.telemetry.traces import Span
from tests.support.exchanges import bench, inbound
from tests.support.fake_clock import FakeClock
from tests.support.shell import QUESTION, REPLY, shell, shell_state

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"


@dataclass
class Kept:
    """A sender that sends nothing."""

    spans: list[Span] = field(default_factory=list)
    is_closed: bool = False

    def send(self, spans: Iterable[Span]) -> None:
        self.spans += spans

    def close(self) -> None:
        self.is_closed = True


def tracing(clock: FakeClock | None = None, **settings: Any) -> tuple[Tracing, Kept]:
    kept = Kept()
    chosen = replace(TracingSettings(enabled=True), **settings)
    return Tracing(chosen, kept, clock or FakeClock(), lambda size: b"\x07" * size), kept


def exchange(**fields: Any) -> Exchange:
    made = Exchange(
        request_id="req_1", protocol="openai_chat", started_at=10.0, asked="glm", status=200, client="team",
        trace=Trace(trace_id=TRACE, span_id=SPAN, parent_id="1" * 16, route="/v1/chat/completions"),
        usage=Usage(prompt=7, cached=3, completion=5, reasoning=2), account="work",
        answered_by=Route(provider="up", model="glm-5"), first_byte_s=1.5, waited_s=1.25,
        bytes_in=100, bytes_out=200, is_stream=True,
    )  # fmt: skip
    made.attempts.append(AttemptRecord(account="work", route="up/glm-5", started_at=10.5, duration_s=2.0, status=200))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def told(of: Exchange) -> list[Span]:
    clock = FakeClock()
    clock.advance(13.0)
    it, kept = tracing(clock)
    it.note(of)
    return kept.spans


def test_a_question_and_its_try() -> None:
    asked, tried = told(exchange())

    assert (asked.name, asked.is_server, asked.error) == ("chat glm", True, "")
    assert (asked.trace_id, asked.span_id, asked.parent_id) == (TRACE, SPAN, "1" * 16)
    assert (asked.started_at, asked.ended_at) == (1_700_000_010.0, 1_700_000_013.0)
    assert asked.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "http.request.body.size": 100,
        "http.response.body.size": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "up",
        "gen_ai.request.model": "glm",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "glm-5",
        "gen_ai.response.time_to_first_chunk": 1.5,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "iflow2api.request_id": "req_1",
        "iflow2api.protocol": "openai_chat",
        "iflow2api.key": "team",
        "iflow2api.account": "work",
        "iflow2api.attempts": 1,
        "iflow2api.overhead_s": 0.25,
    }
    assert (tried.name, tried.is_server, tried.error) == ("chat glm-5", False, "")
    assert (tried.trace_id, tried.parent_id) == (TRACE, SPAN)
    assert (tried.started_at, tried.ended_at) == (1_700_000_010.5, 1_700_000_012.5)
    assert tried.attributes["http.response.status_code"] == 200


def test_tries_that_failed_say_how() -> None:
    failed = AttemptRecord(
        account="old", route="up/glm-5", started_at=10.0, duration_s=0.25, error_kind="overloaded", status=503
    )
    one = exchange(status=502, error_kind="overloaded", answered_by=None, first_byte_s=None, usage=None)
    one.attempts = [failed, failed]

    asked, *tries = told(one)

    assert (asked.error, asked.attributes["error.type"]) == ("overloaded", "overloaded")
    assert "gen_ai.response.model" not in asked.attributes
    assert [(one.error, one.attributes["error.type"]) for one in tries] == [("overloaded", "overloaded")] * 2
    assert [one.attributes["http.response.status_code"] for one in tries] == [503, 503]
    assert len({asked.span_id, *(one.span_id for one in tries)}) == 3


def test_a_mistake_of_the_clients_is_no_failure_of_the_servers() -> None:
    asked, *_ = told(exchange(status=404, error_kind="unknown_model"))

    assert (asked.error, asked.attributes["error.type"]) == ("", "unknown_model")


def test_a_client_that_left_is_told_and_its_try_is_no_failure() -> None:
    one = exchange()
    one.attempts = [AttemptRecord(account="a", route="up/glm-5", error_kind="cancelled")]
    one.leave()

    asked, tried = told(one)

    assert (asked.error, tried.error) == ("client_gone", "")


def test_what_was_asked_for_its_sake_is_in_the_same_trace() -> None:
    beside = exchange(trace=None)
    asked, tried, described = told(exchange(beside=[beside]))

    assert described.parent_id == asked.span_id
    assert described.span_id not in (asked.span_id, tried.span_id)


def test_what_nobody_records_is_not_told() -> None:
    assert told(exchange(trace=None)) == []
    assert told(exchange(trace=Trace(trace_id=TRACE, span_id=SPAN, is_sampled=False))) == []


def test_a_key_that_was_sent_as_the_model_is_masked() -> None:
    asked, _ = told(exchange(asked="sk-abcdefghijklmnop"))

    assert "abcdefgh" not in repr(asked)


def test_each_protocol_is_an_operation() -> None:
    names = {
        name: told(exchange(protocol=name))[0].attributes["gen_ai.operation.name"]
        for name in ("anthropic", "gemini", "openai_embeddings", "openai_completions")
    }

    assert names == {
        "anthropic": "chat",
        "gemini": "generate_content",
        "openai_embeddings": "embeddings",
        "openai_completions": "text_completion",
    }


def test_the_clients_trace_goes_on_and_a_broken_one_is_not_believed() -> None:
    it, _ = tracing()
    good = [("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "a=1"), ("tracestate", "b=2")]

    def begun(headers: list[tuple[str, str]]) -> Trace:
        return it.begin(make_mocked_request("POST", "/v1/chat/completions", headers=CIMultiDict(headers)))

    assert (begun(good).trace_id, begun(good).parent_id, begun(good).state) == (TRACE, SPAN, "a=1,b=2")
    assert begun([*good, good[0]]).parent_id == ""
    assert begun([]).trace_id == "07" * 16


async def test_every_question_is_traced_and_nothing_else() -> None:
    state = shell_state(REPLY)
    state.tracing, kept = tracing()
    state.observers.append(state.tracing.note)
    async with shell(state) as client:
        await client.get("/v1/models")
        parent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        async with client.post("/v1/chat/completions", json=QUESTION, headers=parent) as answer:
            assert answer.status == 200

    asked, tried = kept.spans
    assert (asked.trace_id, asked.parent_id) == (TRACE, SPAN)
    assert asked.attributes["http.route"] == "/v1/chat/completions"
    assert tried.parent_id == asked.span_id


async def test_upstreams_are_told_of_a_trace_only_where_that_is_wanted() -> None:
    for is_passed_on in (True, False):
        scene = bench(REPLY)
        trace = Trace(trace_id=TRACE, span_id=SPAN, state="a=1", is_passed_on=is_passed_on)
        one = Exchange(request_id="r", protocol="openai_chat", started_at=0.0, trace=trace)
        await scene.gateway.answer(inbound(), one)
        [request] = scene.transport.requests

        found = {name: request.headers.get(name) for name in ("traceparent", "tracestate")}
        expected = trace.headers(1) if is_passed_on else {"traceparent": None, "tracestate": None}
        assert found == expected


def test_the_end_sends_what_waits() -> None:
    it, kept = tracing()
    it.close()

    assert kept.is_closed
