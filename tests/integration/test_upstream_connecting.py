"""Rows F1 to F9: an upstream that cannot be reached, is not who it says, or hangs up before it says a word."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.support.faults import CANARY, GOOD, GOOD_STREAM, facing
from tests.support.proxies import HttpProxy
from tests.support.raw_upstream import Connection, RawUpstream, close, hang, reset

End = Callable[[Connection], Awaitable[None]]
DIRECT = "http://127.0.0.1:1/v1"


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that never accepts: its backlog is taken by connections nobody picks up."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def tls_server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@pytest.mark.parametrize("stream", [False, True])
async def test_f1_a_refused_connection_is_unreachable(kind: str, stream: bool) -> None:
    async with facing(kind, [GOOD], url=lambda _: DIRECT) as it:
        heard = await it.expect_refused(502, "upstream_unreachable", stream=stream)
    assert heard.took_s < 1
    assert heard.headers.get("x-should-retry") is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", [close, reset], ids=["fin", "rst"])
async def test_f2_hung_up_on_once_the_request_is_sent_again(kind: str, end: End, stream: bool) -> None:
    async with facing(kind, [end], [GOOD_STREAM if stream else GOOD]) as it:
        await it.expect_answered(stream=stream, attempts=2)
        assert it.hits == 2


@pytest.mark.parametrize("end", [close, reset], ids=["fin", "rst"])
async def test_f3_hung_up_on_always_it_is_sent_twice_and_no_more(kind: str, end: End) -> None:
    async with facing(kind, [end]) as it:
        await it.expect_refused(502, "upstream_connection_lost", attempts=2)
        assert it.hits == 2


async def test_f3_a_connection_that_ends_when_it_is_accepted(kind: str) -> None:
    async with facing(kind, [GOOD], on_connect=[reset]) as it:
        heard = await it.ask()
        assert heard.status == 502
        assert len(it.upstream.connections) == 2


async def test_f4_a_name_that_does_not_resolve_is_unreachable(kind: str) -> None:
    async with facing(kind, [GOOD], url=lambda _: "http://no-such-host.invalid/v1") as it:
        heard = await it.expect_refused(502, "upstream_unreachable")
    assert heard.took_s < 3
    assert b"no-such-host" not in heard.body


async def test_f5_a_connection_nobody_accepts_ends_at_the_connect_limit(kind: str) -> None:
    with full_backlog() as port:
        async with facing(
            kind, [GOOD], more="connect_timeout_s = 0.3", url=lambda _: f"http://127.0.0.1:{port}/v1"
        ) as it:
            heard = await it.expect_refused(504, "upstream_connect_timeout")
    assert 0.25 < heard.took_s < 0.9


async def test_f5_a_name_whose_first_address_is_dead_is_reached_by_another(kind: str) -> None:
    """`localhost` is ::1 first on most machines, where nobody listens."""
    async with facing(kind, [GOOD], url=lambda upstream: f"http://localhost:{upstream.port}/v1") as it:
        await it.expect_answered(attempts=1)


@pytest.mark.parametrize("wrong", ["issuer", "host", "expired"])
async def test_f6_an_untrustworthy_certificate_gets_no_token(kind: str, wrong: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issuer = trustme.CA() if wrong == "issuer" else authority
    name = "other.example" if wrong == "host" else "localhost"
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = issuer.issue_cert(name, not_after=yesterday) if wrong == "expired" else issuer.issue_cert(name)
    async with (
        RawUpstream([GOOD], tls=tls_server(certificate), host="localhost") as upstream,
        facing(kind, more=f'ca_file = "{tmp_path}/ca.pem"', url=lambda _: f"{upstream.url}/v1") as it,
    ):
        await it.expect_refused(502, "upstream_tls")
        assert upstream.requests == []
        assert sum(connection.received_bytes for connection in upstream.connections) == 0


@pytest.mark.parametrize("way", ["407", "502", "gone"])
async def test_f7_a_proxy_that_fails_is_named_by_its_setting(kind: str, way: str) -> None:
    async with HttpProxy(user="me", password=f"right-{CANARY}", refuse=way == "502") as proxy:
        password = f"wrong-{CANARY}" if way == "407" else f"right-{CANARY}"
        where = "http://me:pw@127.0.0.1:1" if way == "gone" else proxy.url_with("me", password)
        async with facing(kind, [GOOD], more=f'proxy = "{where}"', url=lambda _: "https://up.example/v1") as it:
            heard = await it.expect_refused(502, "upstream_unreachable")
    assert "proxy" in heard.error["message"]


async def test_f7_a_proxy_that_hangs_ends_at_the_connect_limit(kind: str) -> None:
    async with HttpProxy(silent=True) as proxy:
        more = f'proxy = "{proxy.url}"\nconnect_timeout_s = 0.3'
        async with facing(kind, [GOOD], more=more, url=lambda _: "https://up.example/v1") as it:
            heard = await it.expect_refused(504, "upstream_connect_timeout")
    assert "proxy" in heard.error["message"]
    assert heard.took_s < 0.9


@pytest.mark.parametrize("end", [close, reset], ids=["fin", "rst"])
async def test_f8_a_caller_may_forbid_the_second_attempt(kind: str, end: End) -> None:
    async with facing(kind, [end]) as it:
        await it.expect_refused(502, "upstream_connection_lost", attempts=1, headers={"x-no-retry": "1"})
        assert it.hits == 1


async def test_f8_an_operator_may_forbid_it_too(kind: str) -> None:
    async with facing(kind, [close], resilience="retry_ambiguous = false") as it:
        await it.expect_refused(502, "upstream_connection_lost", attempts=1)
        assert it.hits == 1


@pytest.mark.parametrize("end", [close, reset], ids=["fin", "rst"])
async def test_f9_a_connection_that_died_while_idle_costs_no_attempt(kind: str, end: End) -> None:
    async with facing(kind, [GOOD, end], [GOOD]) as it:
        await it.expect_answered()
        await asyncio.wait_for(it.upstream.connections[0].gone.wait(), 1)
        await it.expect_answered(attempts=1)
        assert it.hits == 2


async def test_f9_a_pooled_connection_that_dies_under_a_request_is_replaced(kind: str) -> None:
    async with facing(kind, [GOOD], [reset], [GOOD]) as it:
        await it.expect_answered()
        await it.expect_answered()
        assert it.hits == 3


async def test_r1_what_was_never_sent_does_not_use_up_the_ambiguous_retry(kind: str) -> None:
    """After a pause the same account is tried once more, and that was all."""
    async with facing(kind, [hang], on_connect=[reset]) as it:
        await it.ask()
        assert it.hits == 0
