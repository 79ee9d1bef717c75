from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import (
    ConnectionLost,
    CutOff,
    GatewayError,
    Malformed,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from iflow_cli_proxy.providers.oauth_refusal import LARGEST_BYTES
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.patience import until
from tests.support.virtual_time import run_in_virtual_time

REQUEST = UpstreamRequest(url="https://id.example/token?accessToken=at-canary", headers={})


async def test_the_answer_comes_whole_whatever_its_status() -> None:
    transport = FakeTransport(FakeReply(b'{"err', b'or":1}', status=503, headers={"retry-after": "3"}))

    answer = await call(transport, REQUEST)

    assert (answer.status, answer.headers, answer.body) == (503, {"retry-after": "3"}, b'{"error":1}')
    assert transport.replies[0].is_closed


async def test_an_empty_body_is_an_answer() -> None:
    assert (await call(FakeTransport(FakeReply()), REQUEST)).body == b""


@pytest.mark.parametrize("size", [LARGEST_BYTES, LARGEST_BYTES + 1])
async def test_i56_a_body_of_two_megabytes_is_not_read_to_its_end(size: int) -> None:
    transport = FakeTransport(FakeReply(b"x" * size, *[b"y" * 1000] * (0 if size == LARGEST_BYTES else 1000)))
    if size == LARGEST_BYTES:
        assert len((await call(transport, REQUEST)).body) == size
        return
    with pytest.raises(Malformed):
        await call(transport, REQUEST)
    assert transport.replies[0].is_closed
    assert not transport.replies[0].is_read_out


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Unreachable("no route"), Unreachable),
        (ConnectionLost("gone"), ConnectionLost),
        (FakeReply(b"{", CutOff("cut")), CutOff),
    ],
)
async def test_what_the_transport_says_passes_through(answer: Answer, kind: type[GatewayError]) -> None:
    transport = FakeTransport(answer)
    with pytest.raises(kind):
        await call(transport, REQUEST)
    assert all(reply.is_closed for reply in transport.replies)


@pytest.mark.parametrize("answer", [faults.refused(None), faults.unresolved(), faults.tls_failed("expired")])
async def test_a_sign_in_server_that_cannot_be_reached_is_called_one(answer: UpstreamError) -> None:
    kind, facts = type(answer), (answer.param, answer.code, answer.retry_after_s)
    with pytest.raises(kind) as caught:
        await call(FakeTransport(answer), REQUEST, provider="iflow")

    assert caught.value.message.startswith("The sign-in server of iflow")
    assert "iflow2api doctor --online" in caught.value.hint
    assert (caught.value.param, caught.value.code, caught.value.retry_after_s) == facts


async def test_a_proxy_is_not_called_a_sign_in_server() -> None:
    error = faults.proxy_refused(None, 407)
    with pytest.raises(Unreachable, match=r"The proxy in upstream\.proxy refuses") as caught:
        await call(FakeTransport(error), REQUEST, provider="iflow")
    assert caught.value.hint == "correct the credentials in upstream.proxy"


@pytest.mark.parametrize("answer", [asyncio.Event(), FakeReply(b"{", asyncio.Event())])
def test_nobody_waits_longer_than_the_limit(answer: Answer) -> None:
    transport = FakeTransport(answer)

    async def scenario() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut) as caught:
            await call(transport, REQUEST, limit_s=12)
        assert "at-canary" not in f"{caught.value.message}{caught.value.hint}{caught.value.detail}"
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(12)
    assert all(reply.is_closed for reply in transport.replies)


async def test_a_cancelled_call_closes_its_reply() -> None:
    transport = FakeTransport(FakeReply(b"{", asyncio.Event()))
    task = asyncio.ensure_future(call(transport, REQUEST))
    await until(lambda: bool(transport.replies))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert transport.replies[0].is_closed
