"""One cheap call tells whether an account works."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import CredentialError, Expired, GatewayError, Malformed, Unreachable
from iflow_cli_proxy.core.jsonx import decode
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.probe import probe
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.iflow.catalog import load_catalog
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from tests.support.entropy import counting_entropy
from tests.support.exchanges import provider
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.faults import whole

LIST = FakeReply(b'{"object":"list","data":[{"id":"m"}]}')
ACCOUNT = Account(id="a", provider="up", label="l", api_key=Secret("sk-0123456789abcdef"))


def iflow(*answers: Answer) -> tuple[Upstream, FakeTransport]:
    transport = FakeTransport(*answers)
    by = IflowProvider("up", load_catalog(), clock=FakeClock(), entropy=counting_entropy())
    return Upstream(provider=by, transport=transport), transport


async def test_a_model_list_is_proof_and_no_token_is_spent() -> None:
    upstream, transport = iflow(LIST)

    assert await probe(upstream, ACCOUNT) == {"object": "list", "data": [{"id": "m"}]}
    assert [request.method for request in transport.requests] == ["GET"]


@pytest.mark.parametrize(
    "no_list", [FakeReply(b"", status=404), FakeReply(b"<html>", status=404), FakeReply(b"<html>")]
)
async def test_an_upstream_without_a_list_is_asked_for_a_few_tokens(no_list: FakeReply) -> None:
    upstream, transport = iflow(no_list, FakeReply(whole()))

    assert await probe(upstream, ACCOUNT) is None
    assert decode(transport.requests[-1].body)["max_new_tokens"] == 16


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([FakeReply(b'{"status":"439","msg":"expired","body":null}')], Expired),
        ([FakeReply(b"{}", status=401)], CredentialError),
        ([Unreachable("gone")], Unreachable),
        ([FakeReply(b"", status=404), FakeReply(b'{"status":"439","msg":"expired","body":null}')], Expired),
        ([FakeReply(b"", status=404), FakeReply(b"{}")], Malformed),
    ],
)
async def test_what_does_not_work_is_told(answers: list[Answer], kind: type[GatewayError]) -> None:
    upstream, transport = iflow(*answers)
    with pytest.raises(kind):
        await probe(upstream, ACCOUNT)
    assert all(reply.is_closed for reply in transport.replies)


async def test_where_no_model_is_known_the_refused_list_is_the_answer() -> None:
    upstream = Upstream(provider=provider(), transport=FakeTransport(FakeReply(b"no", status=404)))
    with pytest.raises(GatewayError):
        await probe(upstream, ACCOUNT)
