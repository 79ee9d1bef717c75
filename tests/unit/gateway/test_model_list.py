from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import CredentialError, GatewayError, Malformed, TimedOut, Unreachable
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.model_list import ask_for_models
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from iflow_cli_proxy.routing.catalog import Catalog
from tests.support.entropy import counting_entropy
from tests.support.exchanges import accounts, provider
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.virtual_time import run_in_virtual_time


async def asked(answer: Answer) -> tuple[object, FakeTransport]:
    transport = FakeTransport(answer)
    upstream = Upstream(provider=provider(), transport=transport)
    return await ask_for_models(upstream, accounts(1)[0]), transport


async def test_the_list_comes_as_the_upstream_sent_it() -> None:
    value, transport = await asked(FakeReply(b'{"data":', b'[{"id":"m"}]}'))

    assert value == {"data": [{"id": "m"}]}
    assert (transport.requests[0].method, transport.requests[0].url) == ("GET", "http://up.test/v1/models")
    assert transport.replies[0].is_closed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (FakeReply(b"<html>"), Malformed),
        (FakeReply(b"[" * 100_000), Malformed),
        (FakeReply(*[b" " * 1_048_576] * 8), Malformed),
        (FakeReply(b"<html>no</html>", status=401), CredentialError),
        (FakeReply(status=302), Malformed),
        (Unreachable("gone"), Unreachable),
    ],
)
async def test_what_is_no_list_is_told_for_what_it_is(answer: Answer, kind: type[GatewayError]) -> None:
    with pytest.raises(kind):
        await asked(answer)


async def test_an_upstream_that_is_gone_names_the_way_out() -> None:
    by = IflowProvider("up", Catalog(), clock=FakeClock(SUNSET_AT + 1), entropy=counting_entropy())
    with pytest.raises(Unreachable) as caught:
        await ask_for_models(Upstream(provider=by, transport=FakeTransport(Unreachable("x"))), accounts(1)[0])

    assert "iflow2api serve --upstream URL" in caught.value.hint


@pytest.mark.parametrize("answer", [asyncio.Event(), FakeReply(b"{", asyncio.Event())])
def test_nobody_waits_longer_than_ten_seconds(answer: Answer) -> None:
    async def scenario() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await asked(answer)
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(10)
