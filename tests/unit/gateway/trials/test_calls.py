"""One small call, and what its failures mean for a probe."""

from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CredentialError, GatewayError, RateLimited, TimedOut, UnknownModel, Unreachable
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.trials import calls
from iflow_cli_proxy.gateway.trials.calls import Caller, Heard
from iflow_cli_proxy.pool.account import Account
from tests.support.exchanges import provider
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport

GOOD = FakeReply(b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}')
REFUSED = FakeReply(b'{"error":{"message":"no","type":"invalid_request_error"}}', status=400)
FAILED = FakeReply(b'{"error":{"message":"oops"}}', status=500)
STREAM = {"content-type": "text/event-stream"}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_PAUSE_S", 0.0)


def caller(*answers: Answer, time_s: float = 100.0) -> tuple[Caller, FakeTransport]:
    transport, clock = FakeTransport(*answers), FakeClock()
    account = Account(id="a", provider="up", label="l", api_key=Secret("sk-0123456789abcdef"))
    upstream = Upstream(provider=provider(), transport=transport)
    now = clock.monotonic
    return Caller(upstream, account, "m", now=now, ends_at=now() + time_s, call_s=10.0), transport


async def test_a_question_goes_out_with_its_fields_and_the_answer_is_read() -> None:
    one, transport = caller(GOOD)

    heard = await one.ask(messages=[], max_tokens=3)

    assert (heard.text, heard.is_accepted, heard.is_refused) == ("hi", True, False)
    assert jsonx.decode(transport.requests[0].body)["max_tokens"] == 3


@pytest.mark.parametrize(
    ("answers", "is_accepted", "count"),
    [
        ([REFUSED], False, 1),
        ([FAILED, GOOD], True, 2),
        ([FAILED, FAILED], False, 2),
        ([FakeReply(b"{}"), FakeReply(b"{}")], False, 2),
        ([FakeReply(b"{}", status=503)], None, 2),
    ],
    ids=["refused", "failed once", "fails on it", "says nothing", "busy"],
)
async def test_a_refusal_is_an_answer_and_a_failure_is_tried_again(
    answers: list[Answer], is_accepted: bool | None, count: int
) -> None:
    one, _ = caller(*answers)

    heard = await one.ask(messages=[])

    assert (heard.is_accepted, one.calls_made) == (is_accepted, count)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (FakeReply(b"{}", status=401), CredentialError),
        (FakeReply(b"{}", status=429), RateLimited),
        (FakeReply(b'{"error":{"code":"model_not_found","message":"no such model"}}', status=404), UnknownModel),
        (Unreachable("gone"), Unreachable),
    ],
)
async def test_what_would_fail_every_question_ends_the_probe(answer: Answer, kind: type[GatewayError]) -> None:
    one, transport = caller(answer)

    with pytest.raises(kind):
        await one.ask(messages=[])
    assert len(transport.requests) == 1


async def test_time_that_is_over_ends_the_probe_before_anything_is_sent() -> None:
    one, transport = caller(GOOD, time_s=0.0)

    with pytest.raises(TimedOut):
        await one.ask(messages=[])
    assert transport.requests == []


async def test_an_upstream_that_never_answers_is_left_at_its_limit() -> None:
    one, _ = caller(asyncio.Event(), time_s=0.05)

    heard = await one.ask(messages=[])

    assert isinstance(heard.error, TimedOut)
    assert heard.is_accepted is None


async def test_a_stream_is_its_events() -> None:
    one, transport = caller(
        FakeReply(b'data: {"choices":[]}\n\n', b'data: {"usage":{}}\n\ndata: [DONE]\n\n', headers=STREAM)
    )

    heard = await one.stream(messages=[])

    assert len(heard.events) == 2
    assert jsonx.decode(transport.requests[0].body)["stream"] is True
    assert all(reply.is_closed for reply in transport.replies)


@pytest.mark.parametrize(
    "body", [b"", b"data: {\n\n", b'data: {"error":{"message":"no","type":"invalid_request_error"}}\n\n']
)
async def test_a_stream_that_is_none_is_a_refusal(body: bytes) -> None:
    one, transport = caller(FakeReply(body, headers=STREAM))

    assert (await one.stream(messages=[])).is_refused
    assert all(reply.is_closed for reply in transport.replies)


def test_odd_answers_are_read_as_nothing() -> None:
    for body in (None, [], {"choices": 1}, {"choices": [1]}, {"choices": [{"message": 1}]}):
        heard = Heard(body=body)
        assert (heard.text, heard.calls, heard.is_cut) == ("", [], False)
    assert Heard(body={"choices": [{"message": {"tool_calls": [1, {"function": {"name": "f"}}]}}]}).calls == ["f"]
