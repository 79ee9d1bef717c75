"""The ways to an upstream, for every transport: TLS that verifies, and proxies that carry."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from iflow_cli_proxy.core.errors import (
    ConfigError,
    ConnectTimedOut,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from tests.support.proxies import HttpProxy, SocksProxy, TunnelProxy
from tests.support.raw_upstream import (
    RawUpstream,
    Script,
    event,
    hang,
    stream_head,
)
from tests.support.transports import OK, fetch, opened, post

PASSWORD = "hunter2-canary"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def tls_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def test_a_custom_authority_is_accepted_over_tls(
    options: TransportOptions, authority: trustme.CA, ca_file: str
) -> None:
    tls = tls_for(authority.issue_cert("localhost"))
    async with (
        RawUpstream([OK], tls=tls, host="localhost") as upstream,
        opened(replace(options, ca_file=ca_file)) as it,
    ):
        assert await fetch(it, post(upstream)) == b'{"ok":true}'
        assert await fetch(it, post(upstream)) == b'{"ok":true}'
        assert len(upstream.connections) == 1


@pytest.mark.parametrize("wrong", ["authority", "host", "expired"])
async def test_f6_an_untrustworthy_certificate_is_refused_and_nothing_is_sent(
    options: TransportOptions, authority: trustme.CA, ca_file: str, wrong: str
) -> None:
    from datetime import UTC, datetime

    match wrong:
        case "authority":
            certificate = trustme.CA().issue_cert("localhost")
        case "host":
            certificate = authority.issue_cert("elsewhere.example")
        case _:
            certificate = authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    async with (
        RawUpstream([OK], tls=tls_for(certificate), host="localhost") as upstream,
        opened(replace(options, ca_file=ca_file)) as it,
    ):
        with pytest.raises(TlsFailed) as caught:
            await it.send(post(upstream))
        assert upstream.requests == []
        assert "localhost" not in caught.value.message


async def test_the_default_authorities_do_not_include_ours(options: TransportOptions, authority: trustme.CA) -> None:
    tls = tls_for(authority.issue_cert("localhost"))
    async with RawUpstream([OK], tls=tls, host="localhost") as upstream, opened(options) as transport:
        with pytest.raises(TlsFailed):
            await transport.send(post(upstream))
        assert upstream.requests == []


async def test_a_missing_authority_file_is_a_setting_to_correct(options: TransportOptions, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        async with opened(replace(options, ca_file=str(tmp_path / "none.pem"))) as transport:
            await transport.send(UpstreamRequest(url="https://127.0.0.1:9/", headers={}, body=b"{}"))
    assert caught.value.param == "upstream.ca_file"
    assert str(tmp_path) not in caught.value.message


async def test_cancelling_mid_body_closes_a_tls_socket_too(
    options: TransportOptions, authority: trustme.CA, ca_file: str
) -> None:
    tls = tls_for(authority.issue_cert("localhost"))
    script: Script = [stream_head(), event("one"), hang]
    async with (
        RawUpstream(script, tls=tls, host="localhost") as upstream,
        opened(replace(options, ca_file=ca_file)) as it,
    ):
        reply = await it.send(post(upstream))
        await reply.read()
        reply.close()
        await asyncio.wait_for(upstream.connections[0].gone.wait(), 1)


PROXIES = [HttpProxy, SocksProxy]


@pytest.mark.parametrize("kind", PROXIES)
async def test_a_proxy_carries_plaintext_and_tls(
    options: TransportOptions, authority: trustme.CA, ca_file: str, kind: type[TunnelProxy]
) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(kind(user="me", password=PASSWORD))
        clear = await stack.enter_async_context(RawUpstream([OK]))
        tls = tls_for(authority.issue_cert("localhost"))
        secret = await stack.enter_async_context(RawUpstream([OK], tls=tls, host="localhost"))
        through = replace(options, proxy=proxy.url_with("me", PASSWORD), ca_file=ca_file)
        transport = await stack.enter_async_context(opened(through))
        for upstream in (clear, secret, clear, secret):
            assert await fetch(transport, post(upstream)) == b'{"ok":true}'
        assert len(proxy.targets) == 2
        assert clear.requests[0].header("proxy-authorization") is None
        assert secret.requests[0].header("proxy-authorization") is None


async def test_socks5h_leaves_the_name_to_the_proxy(options: TransportOptions) -> None:
    async with SocksProxy() as proxy, RawUpstream([OK], host="only-the-proxy-knows.test") as upstream:
        async with opened(replace(options, proxy=proxy.url.replace("socks5", "socks5h"))) as transport:
            assert await fetch(transport, post(upstream)) == b'{"ok":true}'
        assert proxy.targets == [f"only-the-proxy-knows.test:{upstream.port}"]


async def test_socks5_resolves_the_name_here(options: TransportOptions) -> None:
    async with SocksProxy() as proxy, RawUpstream([OK], host="localhost") as upstream:
        async with opened(replace(options, proxy=proxy.url)) as transport:
            assert await fetch(transport, post(upstream)) == b'{"ok":true}'
        assert proxy.targets in ([f"127.0.0.1:{upstream.port}"], [f"::1:{upstream.port}"])


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", PROXIES)
async def test_f7_wrong_proxy_credentials_name_the_setting_and_not_the_password(
    options: TransportOptions, kind: type[TunnelProxy], scheme: str
) -> None:
    async with kind(user="me", password="right") as proxy, RawUpstream([OK]) as upstream:
        async with opened(replace(options, proxy=proxy.url_with("me", PASSWORD))) as transport:
            with pytest.raises(Unreachable, match=r"upstream\.proxy") as caught:
                await transport.send(post(upstream).__class__(url=f"{scheme}://127.0.0.1:{upstream.port}/", headers={}))
        said = f"{caught.value.message} {caught.value.detail} {caught.value.hint} {caught.value!r}"
        assert PASSWORD not in said
        assert upstream.requests == []


@pytest.mark.parametrize("kind", PROXIES)
async def test_f7_a_proxy_that_cannot_connect_is_named(options: TransportOptions, kind: type[TunnelProxy]) -> None:
    async with kind(refuse=True) as proxy, opened(replace(options, proxy=proxy.url)) as transport:
        with pytest.raises(Unreachable, match=r"upstream\.proxy"):
            await transport.send(UpstreamRequest(url="https://127.0.0.1:9/", headers={}, body=b"{}"))


@pytest.mark.parametrize("kind", PROXIES)
async def test_f7_a_proxy_that_hangs_times_out_and_is_named(options: TransportOptions, kind: type[TunnelProxy]) -> None:
    async with kind(silent=True) as proxy, AsyncExitStack() as stack:
        through = replace(options, proxy=proxy.url_with("me", PASSWORD), connect_timeout_s=0.3)
        transport = await stack.enter_async_context(opened(through))
        with pytest.raises(ConnectTimedOut, match=r"upstream\.proxy") as caught:
            await transport.send(UpstreamRequest(url="https://127.0.0.1:9/", headers={}, body=b"{}"))
    assert PASSWORD not in f"{caught.value!r} {caught.value.detail}"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_f7_a_proxy_that_is_not_there_is_named(options: TransportOptions, scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
        async with opened(replace(options, proxy=url)) as transport:
            with pytest.raises(Unreachable, match=r"upstream\.proxy"):
                await transport.send(UpstreamRequest(url="http://127.0.0.1:9/", headers={}, body=b"{}"))


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


async def test_the_environment_is_ignored_unless_trusted(
    options: TransportOptions, clean_environment: pytest.MonkeyPatch
) -> None:
    async with HttpProxy() as proxy, RawUpstream([OK]) as upstream:
        for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            clean_environment.setenv(name, proxy.url)
        async with opened(options) as transport:
            await fetch(transport, post(upstream))
        assert proxy.targets == []
        async with opened(replace(options, trust_env=True)) as transport:
            await fetch(transport, post(upstream))
        assert proxy.targets == [f"127.0.0.1:{upstream.port}"]
        clean_environment.setenv("NO_PROXY", "127.0.0.1")
        async with opened(replace(options, trust_env=True)) as transport:
            await fetch(transport, post(upstream))
        assert len(proxy.targets) == 1


async def test_no_proxy_does_not_undo_a_configured_proxy(
    options: TransportOptions, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("NO_PROXY", "*")
    async with HttpProxy() as proxy, RawUpstream([OK]) as upstream:
        async with opened(replace(options, proxy=proxy.url)) as transport:
            await fetch(transport, post(upstream))
        assert len(proxy.targets) == 1
