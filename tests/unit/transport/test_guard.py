"""Fetching what a stranger names, over real sockets: only from checked addresses, and only a picture (I21 to I25)."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from ipaddress import ip_address
from time import perf_counter
from typing import Any

import pytest
import trustme

from iflow_cli_proxy.core.errors import Busy, InvalidRequest
from iflow_cli_proxy.core.room import Room
from iflow_cli_proxy.transport.addresses import NOT_ALLOWED, Address, is_public
from iflow_cli_proxy.transport.guard import FetchRules, GuardedFetch
from tests.support.images import BMP, GIF, HTML, JPEG, PNG, SVG, WEBP, Names
from tests.support.patience import until
from tests.support.raw_upstream import RawUpstream, answer, close, flood, hang, head, reset, sleep, stream_head
from tests.support.raw_upstream import chunk as piece

PATH = "messages[0].content[0].image_url.url"
HERE = ip_address("127.0.0.1")


def is_here(address: Address) -> bool:
    """Loopback stands in for the public internet; everything else is judged as ever."""
    return address == HERE or is_public(address)


def rules(server: RawUpstream, **more: Any) -> FetchRules:
    more = {"is_allowed": is_here, "limit_s": 5.0} | more
    return FetchRules(allows_http=True, ports=frozenset({server.port}), **more)


def picture(data: bytes = PNG, media_type: str = "image/png") -> bytes:
    return answer(data, headers={"Content-Type": media_type})


def moved(location: str, status: int = 302) -> bytes:
    return head(f"{status} Moved", {"Location": location, "Content-Length": "0"})


async def fetched(server: RawUpstream, names: Names | None = None, *, host: str = "images.example", **more: Any) -> Any:
    fetch = GuardedFetch(rules(server, **more), resolver=names or Names(["127.0.0.1"]))
    return await fetch(f"http://{host}:{server.port}/a.png?x=1", PATH)


async def refusal(server: RawUpstream, names: Names | None = None, **more: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await fetched(server, names, **more)
    error = caught.value
    assert error.param == PATH
    for secret in ("127.0.0.1", "10.0.0.1", "images.example", str(server.port)):
        assert secret not in f"{error.message} {error.detail} {error.hint}"
    return error


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp"), (BMP, "image/bmp")],
)
async def test_a_picture_comes_back_as_data_with_the_type_its_bytes_show(data: bytes, media_type: str) -> None:
    async with RawUpstream([picture(data, "text/html")]) as server:
        image = await fetched(server)

    assert (b64decode(image.data), image.media_type, image.url) == (data, media_type, "")


async def test_the_server_hears_its_own_name_and_nothing_about_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with RawUpstream(
        [head("302 Moved", {"Location": "/b.png", "Set-Cookie": "a=b; Path=/", "Content-Length": "0"})], [picture()]
    ) as server:
        await fetched(server)

    assert [request.target for request in server.requests] == ["/a.png?x=1", "/b.png"]
    for request in server.requests:
        assert request.method == "GET"
        assert request.header("Host") == f"images.example:{server.port}"
        assert request.header("Accept-Encoding") == "identity"
        assert sorted(name for name, _ in request.headers) == [
            "Accept",
            "Accept-Encoding",
            "Connection",
            "Host",
            "User-Agent",
        ]


async def test_no_connection_is_kept() -> None:
    async with RawUpstream([picture()]) as server:
        await fetched(server)
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)


# --- where from ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0177.0.0.1",
     "127.1", "0.0.0.0", "user@127.0.0.1", "images.example\\@127.0.0.1", "127.0.0.1.", "localhost."],
)  # fmt: skip
async def test_i21_nothing_on_this_machine_is_ever_called(host: str) -> None:
    async with RawUpstream([picture()]) as canary:
        names = Names(["127.0.0.1"])
        with pytest.raises(InvalidRequest) as caught:
            await fetched(canary, names, host=host, is_allowed=is_public)
        assert caught.value.code == NOT_ALLOWED
        assert (canary.connections, names.asked) == ([], [])


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["::1"],
        ["fd00:ec2::254"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::1"],
        ["fe80::1%eth0"],
        ["8.8.8.8", "10.0.0.1"],
        ["2606:4700:4700::1111", "::1"],
    ],
)
async def test_i22_a_name_with_any_address_inside_is_refused_unvisited(answers: list[str]) -> None:
    async with RawUpstream([picture()]) as canary:
        error = await refusal(canary, Names(answers), is_allowed=is_public)
        assert error.code == NOT_ALLOWED
        assert canary.connections == []


async def test_i24_a_second_answer_of_the_dns_changes_nothing() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with RawUpstream([picture()]) as server:
        await fetched(server, names)
        assert names.asked == ["images.example"]
        assert len(server.requests) == 1


async def test_i24_each_hop_is_resolved_and_judged_again() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with RawUpstream([moved("/b.png")], [picture()]) as server:
        error = await refusal(server, names)
        assert error.code == NOT_ALLOWED
        assert (len(names.asked), len(server.requests)) == (2, 1)


@pytest.mark.parametrize("answers", [[], ["not an address"]])
async def test_a_name_without_a_usable_address_is_not_visited(answers: list[str]) -> None:
    async with RawUpstream([picture()]) as server:
        assert (await refusal(server, Names(answers))).code in ("image_not_fetched", NOT_ALLOWED)
        assert server.connections == []


async def test_an_address_in_the_url_needs_no_lookup() -> None:
    names = Names(["10.0.0.1"])
    async with RawUpstream([picture()]) as server:
        await fetched(server, names, host="127.0.0.1")
        assert names.asked == []


# --- redirects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://[::ffff:10.0.0.1]/",
        "http://2852039166/",
        "//10.0.0.1/x.png",
        "http://localhost/x.png",
        "http:///x.png",
        "http://",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "\\\\127.0.0.1\\x",
        "http://images.example:22/",
        "http://[",
    ],
)
async def test_i23_a_redirect_is_judged_like_the_first_url(location: str) -> None:
    async with RawUpstream([moved(location)]) as server:
        assert (await refusal(server)).code == NOT_ALLOWED
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_i23_three_redirects_are_followed(status: int) -> None:
    async with RawUpstream(*([moved(f"b{hop}.png", status)] for hop in range(3)), [picture()]) as server:
        await fetched(server)
        assert [request.target for request in server.requests] == ["/a.png?x=1", "/b0.png", "/b1.png", "/b2.png"]


async def test_i23_and_a_fourth_is_not() -> None:
    async with RawUpstream([moved("/again.png")]) as server:
        error = await refusal(server)
        assert (error.code, len(server.requests)) == (NOT_ALLOWED, 4)


@pytest.mark.parametrize(
    "redirect",
    [
        head("302 Moved", {"Content-Length": "0"}),
        head("302 Moved", {"Location": "", "Content-Length": "0"}),
        b"HTTP/1.1 302 Moved\r\nLocation: /b\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_i23_a_redirect_to_no_one_place_is_none(redirect: bytes) -> None:
    async with RawUpstream([redirect]) as server:
        assert (await refusal(server)).code == "image_not_fetched"


# --- TLS ----------------------------------------------------------------------------------------------------------


def tls_pair(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext, list[str | None]]:
    """A server's context for `names`, a client's that trusts it, and the names that clients ask the server for."""
    authority = trustme.CA()
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(ours)
    heard: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: heard.append(name)  # type: ignore[assignment]
    theirs = ssl.create_default_context()
    authority.configure_trust(theirs)
    return ours, theirs, heard


async def test_i24_the_pinned_address_is_asked_by_the_urls_own_name_and_proves_it() -> None:
    ours, theirs, heard = tls_pair("images.example")
    async with RawUpstream([picture()], tls=ours) as server:
        fetch = GuardedFetch(rules(server), resolver=Names(["127.0.0.1"]), tls=theirs)
        image = await fetch(f"https://images.example:{server.port}/a.png", PATH)

    assert (image.media_type, heard) == ("image/png", ["images.example"])


async def test_a_certificate_for_another_name_is_no_proof() -> None:
    ours, theirs, _ = tls_pair("elsewhere.example")
    async with RawUpstream([picture()], tls=ours) as server:
        fetch = GuardedFetch(rules(server), resolver=Names(["127.0.0.1"]), tls=theirs)
        with pytest.raises(InvalidRequest, match="the certificate is for another host") as caught:
            await fetch(f"https://images.example:{server.port}/a.png", PATH)

    assert (caught.value.code, server.requests) == ("image_not_fetched", [])


async def test_the_default_authorities_do_not_include_ours() -> None:
    ours, _, _ = tls_pair("images.example")
    async with RawUpstream([picture()], tls=ours) as server:
        fetch = GuardedFetch(rules(server), resolver=Names(["127.0.0.1"]))
        with pytest.raises(InvalidRequest, match="certificate"):
            await fetch(f"https://images.example:{server.port}/a.png", PATH)


async def test_i23_a_redirect_never_leaves_tls() -> None:
    ours, theirs, _ = tls_pair("images.example")
    async with (
        RawUpstream([picture()]) as plain,
        RawUpstream([moved(f"http://images.example:{plain.port}/")], tls=ours) as server,
    ):
        both = FetchRules(allows_http=True, ports=frozenset({server.port, plain.port}), is_allowed=is_here)
        fetch = GuardedFetch(both, resolver=Names(["127.0.0.1"]), tls=theirs)
        with pytest.raises(InvalidRequest, match="without TLS") as caught:
            await fetch(f"https://images.example:{server.port}/a.png", PATH)
        assert (caught.value.code, plain.connections) == (NOT_ALLOWED, [])


async def test_i21_plain_http_is_refused_unless_a_setting_allows_it() -> None:
    async with RawUpstream([picture()]) as server:
        strict = FetchRules(ports=frozenset({server.port}), is_allowed=is_here)
        with pytest.raises(InvalidRequest, match="https://"):
            await GuardedFetch(strict, resolver=Names(["127.0.0.1"]))(f"http://images.example:{server.port}/", PATH)
        assert server.connections == []


# --- what, and how much -------------------------------------------------------------------------------------------


async def test_i25_a_gigabyte_that_is_announced_is_not_read() -> None:
    large = head(200, {"Content-Type": "image/png", "Content-Length": str(1 << 30)})
    async with RawUpstream([large, hang]) as server:
        assert (await refusal(server)).code == "image_too_large"
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)
    async with RawUpstream([large, PNG, flood(bytes(65_536), 1024)]) as server:
        assert (await refusal(server)).code == "image_too_large"
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)
        assert server.connections[0].sent_bytes < 16 << 20


async def test_i25_an_endless_one_is_counted() -> None:
    async with RawUpstream([stream_head(), piece(PNG), flood(piece(bytes(65_536)), 1024)]) as server:
        error = await refusal(server, largest_bytes=1 << 20)
        assert (error.code, "1,048,576 bytes" in error.message) == ("image_too_large", True)
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)


async def test_i25_exactly_as_large_as_allowed_is_allowed() -> None:
    async with RawUpstream([picture()]) as server:
        assert b64decode((await fetched(server, largest_bytes=len(PNG))).data) == PNG
        assert (await refusal(server, largest_bytes=len(PNG) - 1)).code == "image_too_large"


async def test_i25_a_slow_drip_ends() -> None:
    drip = [step for byte in PNG for step in (piece(bytes([byte])), sleep(0.05))]
    async with RawUpstream([stream_head(), *drip, hang]) as server:
        started = perf_counter()
        error = await refusal(server, limit_s=0.3)
        assert perf_counter() - started < 1.0
        assert (error.code, "0.3 s" in error.message) == ("image_not_fetched", True)
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)


@pytest.mark.parametrize("script", [[hang], [stream_head(), hang], [head(200, {"Content-Length": "99"}) + PNG, hang]])
async def test_i25_and_so_does_silence(script: list[Any]) -> None:
    async with RawUpstream(script) as server:
        assert "took longer" in (await refusal(server, limit_s=0.2)).message


async def test_i25_the_time_is_for_all_hops_together() -> None:
    async with RawUpstream(*([sleep(0.15), moved("/b.png")] for _ in range(3)), [picture()]) as server:
        assert "took longer" in (await refusal(server, limit_s=0.3)).message


@pytest.mark.parametrize("data", [SVG, HTML, b"", b"\x89PN", b"BM: words and words and more words"])
async def test_i25_what_only_says_that_it_is_a_picture_is_none(data: bytes) -> None:
    async with RawUpstream([picture(data)]) as server:
        assert (await refusal(server)).code == "image_type_unsupported"


async def test_i25_what_is_no_picture_is_not_read_to_its_end() -> None:
    async with RawUpstream([stream_head(), piece(HTML), flood(piece(bytes(65_536)), 1024)]) as server:
        assert (await refusal(server)).code == "image_type_unsupported"


async def test_i25_a_picture_that_would_unpack_to_gigabytes_stays_as_small_as_it_came() -> None:
    bomb = PNG[:16] + (50_000).to_bytes(4, "big") * 2 + PNG[24:]
    async with RawUpstream([picture(bomb)]) as server:
        assert b64decode((await fetched(server)).data) == bomb


async def test_i25_nothing_is_unpacked() -> None:
    async with RawUpstream([answer(PNG, headers={"Content-Encoding": "gzip"})]) as server:
        assert (await refusal(server)).code == "image_not_fetched"


@pytest.mark.parametrize(
    "script",
    [
        [head(200, {"Content-Length": "500"}) + PNG, close],
        [head(200, {"Content-Length": "500"}) + PNG, reset],
        [stream_head(), piece(PNG), b"zz\r\n", close],
        [close],
        [reset],
        [b"SSH-2.0-OpenSSH_9.2\r\n", close],
        [answer(PNG, 404)],
        [answer(PNG, 401)],
        [answer(PNG, 206)],
        [answer(b"", 204)],
        [head(304)],
    ],
)
async def test_an_answer_that_is_not_the_whole_picture_is_the_clients_mistake(script: list[Any]) -> None:
    async with RawUpstream(script) as server:
        assert (await refusal(server)).code == "image_not_fetched"


async def test_so_is_a_server_that_is_not_there() -> None:
    async with RawUpstream([picture()]) as server:
        pass
    error = await refusal(server)
    assert (error.code, "cannot be reached" in error.message) == ("image_not_fetched", True)


async def test_a_client_that_leaves_ends_the_fetch() -> None:
    async with RawUpstream([hang]) as server:
        task = asyncio.ensure_future(fetched(server))
        await server.got(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.connections[0].gone.wait(), 1)


async def test_i25_what_is_being_fetched_has_a_bound_for_all_together() -> None:
    """A server that sends most of a picture and then nothing: the next picture finds no room."""
    body = PNG + bytes(60_000 - len(PNG))
    slow = [stream_head(), piece(body), hang]
    room = Room(100_000)
    async with RawUpstream(slow, [picture(body)], [picture(body)]) as server:
        fetch = GuardedFetch(rules(server), resolver=Names(["127.0.0.1"]), room=room)
        url = f"http://images.example:{server.port}/a.png"
        waiting = asyncio.create_task(fetch(url, PATH))
        await until(lambda: room.left < 50_000)
        with pytest.raises(Busy):
            await fetch(url, PATH)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert room.left == 100_000
        await fetch(url, PATH)

    assert room.left == 100_000
