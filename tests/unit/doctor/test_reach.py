"""Against real sockets on loopback; only the names are made up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from iflow_cli_proxy.doctor.reach import Target, Trouble, by_socket, by_system, listens, look_at, target_of
from tests.support.machines import names
from tests.support.raw_upstream import RawUpstream

HERE = names({"api.example": ("127.0.0.1",)})
Serve = Callable[..., ssl.SSLContext]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(tmp_path: Path, authority: trustme.CA) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def server_side(authority: trustme.CA, name: str = "api.example", ends: datetime | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_after=ends).configure_cert(context)
    return context


def target(port: int, *, is_tls: bool = True, host: str = "api.example") -> Target:
    return Target(host=host, port=port, is_tls=is_tls)


async def test_a_host_with_a_good_certificate_tells_when_it_ends(authority: trustme.CA, bundle: str) -> None:
    ends = datetime(2040, 1, 1, tzinfo=UTC)
    async with RawUpstream(tls=server_side(authority, ends=ends)) as upstream:
        look = await look_at(target(upstream.port), HERE, by_socket, ca_file=bundle)

    assert (look.trouble, look.certificate_ends_at) == (None, ends.timestamp())


async def test_a_certificate_for_another_name_is_told(authority: trustme.CA, bundle: str) -> None:
    async with RawUpstream(tls=server_side(authority, "other.example")) as upstream:
        look = await look_at(target(upstream.port), HERE, by_socket, ca_file=bundle)

    assert (look.trouble, look.detail) == (Trouble.CERTIFICATE, "the certificate is for another host")


async def test_a_certificate_that_has_expired_is_told(authority: trustme.CA, bundle: str) -> None:
    ends = datetime(2024, 1, 1, tzinfo=UTC)
    async with RawUpstream(tls=server_side(authority, ends=ends)) as upstream:
        look = await look_at(target(upstream.port), HERE, by_socket, ca_file=bundle)

    assert (look.trouble, look.detail) == (Trouble.CERTIFICATE, "the certificate has expired")


async def test_a_certificate_of_an_authority_that_nobody_trusts_is_told(authority: trustme.CA) -> None:
    async with RawUpstream(tls=server_side(authority)) as upstream:
        look = await look_at(target(upstream.port), HERE, by_socket)

    assert (look.trouble, look.detail) == (Trouble.CERTIFICATE, "the certificate's authority is not trusted")


async def test_a_server_without_tls_is_told() -> None:
    async with RawUpstream(on_connect=[b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as upstream:
        look = await look_at(target(upstream.port), HERE, by_socket)

    assert look.trouble is Trouble.TLS


async def test_plain_http_only_has_to_take_connections() -> None:
    async with RawUpstream() as upstream:
        look = await look_at(target(upstream.port, is_tls=False), HERE, by_socket)

    assert (look.trouble, look.certificate_ends_at) == (None, None)


async def test_a_name_without_an_address_is_no_name() -> None:
    look = await look_at(target(1, host="gone.example"), HERE, by_socket)

    assert (look.trouble, look.detail) == (Trouble.NO_NAME, "Name or service not known")


async def test_a_closed_port_refuses() -> None:
    async with RawUpstream() as upstream:
        closed = upstream.port

    look = await look_at(target(closed, is_tls=False), HERE, by_socket)

    assert look.trouble is Trouble.REFUSED


async def test_the_second_address_counts_when_the_first_refuses() -> None:
    two = names({"api.example": ("127.0.0.2", "127.0.0.1")})
    async with RawUpstream() as upstream:
        look = await look_at(target(upstream.port, is_tls=False), two, by_socket)

    assert look.trouble is None


@pytest.mark.parametrize("is_slow_to_resolve", [True, False])
async def test_a_host_that_does_not_answer_in_time_is_told(is_slow_to_resolve: bool) -> None:
    async def never(*given: object) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    resolve, connect = (never, by_socket) if is_slow_to_resolve else (HERE, never)
    look = await look_at(target(1), resolve, connect, limit_s=0.02)  # type: ignore[arg-type]

    assert look.trouble is Trouble.TIMED_OUT


async def test_a_port_listens_or_not() -> None:
    async with RawUpstream() as upstream:
        assert await listens(by_socket, "127.0.0.1", upstream.port)
    assert not await listens(by_socket, "127.0.0.1", upstream.port)


async def test_the_system_knows_this_machine() -> None:
    assert "127.0.0.1" in await by_system("localhost", 80)


@pytest.mark.parametrize(
    ("url", "host", "port", "name"),
    [
        ("https://api.example/v1", "api.example", 443, "api.example"),
        ("http://api.example/v1", "api.example", 80, "api.example"),
        ("https://api.example:8443", "api.example", 8443, "api.example:8443"),
        ("http://[::1]:80/", "::1", 80, "::1"),
    ],
)
def test_a_url_names_what_to_look_at(url: str, host: str, port: int, name: str) -> None:
    found = target_of(url)

    assert (found.host, found.port, found.name) == (host, port, name)
