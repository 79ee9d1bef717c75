"""One small call: refusals are errors also inside a 200, and nothing stays open."""

from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import Expired, GatewayError, Malformed, TimedOut
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.asking import ask
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.exchanges import accounts, provider
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.virtual_time import run_in_virtual_time

REQUEST = UpstreamRequest(url="http://up.test/v1/anything", headers={}, method="GET")


async def asked(answer: Answer, transport: FakeTransport | None = None) -> Json:
    upstream = Upstream(provider=provider(), transport=transport or FakeTransport(answer))
    return await ask(upstream, accounts(1)[0], REQUEST, limit_s=2.0)


async def test_any_json_is_an_answer() -> None:
    assert await asked(FakeReply(b'{"anything":1}')) == {"anything": 1}
    assert await asked(FakeReply(b"[1]")) == [1]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (FakeReply(b'{"error":{"message":"the token has expired","code":401}}'), Expired),
        (FakeReply(b"<html>"), Malformed),
        (FakeReply(status=500), GatewayError),
    ],
)
async def test_a_refusal_is_an_error_whatever_its_status(answer: FakeReply, kind: type[GatewayError]) -> None:
    transport = FakeTransport(answer)
    with pytest.raises(kind):
        await asked(answer, transport)
    assert transport.replies[0].is_closed


def test_nobody_waits_longer_than_was_allowed() -> None:
    async def scenario() -> float:
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await asked(asyncio.Event())
        return asyncio.get_running_loop().time() - started

    assert run_in_virtual_time(scenario()) == pytest.approx(2.0)
