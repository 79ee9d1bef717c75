"""Reading bodies. What strange bytes on a socket do is in tests/integration."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core.errors import ClientTooSlow, GatewayError, InvalidRequest, TooLarge, UnsupportedMedia
from iflow_cli_proxy.server.body import read_json_body

LIMITS = ServerSettings(max_body_bytes=1024, body_timeout_s=0.05)
JSON = {"Content-Type": "application/json"}


def incoming(*pieces: bytes, headers: dict[str, str] | None = None, is_whole: bool = True) -> web.Request:
    reader = StreamReader(Mock(spec=BaseProtocol, _reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    for piece in pieces:
        reader.feed_data(piece)
    if is_whole:
        reader.feed_eof()
    return make_mocked_request("POST", "/", headers={**JSON, **(headers or {})}, payload=reader)


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_json_body(incoming(b'{"a"', b":1", b"}"), LIMITS) == b'{"a":1}'
    assert await read_json_body(incoming(), LIMITS) == b""


async def test_a_body_that_arrives_while_it_is_read_is_whole() -> None:
    request = incoming(b"[", is_whole=False)
    reading = asyncio.ensure_future(read_json_body(request, LIMITS))
    await asyncio.sleep(0)
    request.content.feed_data(b"]")
    request.content.feed_eof()

    assert await reading == b"[]"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Content-Encoding": "gzip"}, UnsupportedMedia),
        ({"Content-Encoding": "identity"}, None),
        ({"Content-Type": "text/plain"}, UnsupportedMedia),
        ({"Content-Type": "application/json; charset=latin-1"}, UnsupportedMedia),
        ({"Content-Type": "application/problem+json"}, None),
        ({"Content-Length": "1025"}, TooLarge),
        ({"Content-Length": "2"}, None),
    ],
)
async def test_the_headers_decide_before_a_byte_is_read(
    headers: dict[str, str], error: type[GatewayError] | None
) -> None:
    request = incoming(b"{}", headers=headers, is_whole=error is None)
    if error is None:
        assert await read_json_body(request, LIMITS) == b"{}"
        return
    with pytest.raises(error):
        await read_json_body(request, LIMITS)


async def test_a_body_without_a_type_is_taken_from_programs_and_not_from_pages() -> None:
    def untyped(**headers: str) -> web.Request:
        request = incoming(b"{}")
        return make_mocked_request("POST", "/", headers=headers, payload=request.content)

    assert await read_json_body(untyped(), LIMITS) == b"{}"
    with pytest.raises(UnsupportedMedia):
        await read_json_body(untyped(Origin="http://evil.example"), LIMITS)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("path", "headers", "is_taken"),
    [
        ("/api/generate", FORM, True),
        ("/api/show", {"Content-Type": "text/plain; charset=utf-8"}, True),
        ("/api/chat", {"Content-Type": "text/plain; charset=latin-1"}, False),
        ("/api/chat", {**FORM, "Origin": "null"}, False),
        ("/api/chat", {**FORM, "Sec-Fetch-Site": "cross-site"}, False),
        ("/v1/chat/completions", FORM, False),
        ("/v1beta/models/m:generateContent", FORM, False),
    ],
)
async def test_ollama_s_programs_may_call_a_body_what_they_like_and_pages_may_not(
    path: str, headers: dict[str, str], is_taken: bool
) -> None:
    request = make_mocked_request("POST", path, headers=headers, payload=incoming(b"{}").content)
    if is_taken:
        assert await read_json_body(request, LIMITS) == b"{}"
        return
    with pytest.raises(UnsupportedMedia):
        await read_json_body(request, LIMITS)


async def test_an_undeclared_body_is_counted() -> None:
    with pytest.raises(TooLarge):
        await read_json_body(incoming(b"x" * 600, b"x" * 600, is_whole=False), LIMITS)


async def test_a_body_that_never_ends_is_not_waited_for() -> None:
    with pytest.raises(ClientTooSlow):
        await read_json_body(incoming(b"{", is_whole=False), LIMITS)


async def test_a_body_that_breaks_off_is_the_clients_mistake() -> None:
    request = incoming(b"{", is_whole=False)
    request.content.read_nowait()
    request.content.set_exception(web.RequestPayloadError("cut"))

    with pytest.raises(InvalidRequest):
        await read_json_body(request, LIMITS)


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    request = incoming(b"{", headers={"Expect": "100-continue"}, is_whole=False)
    asyncio.get_running_loop().call_soon(request.content.feed_eof)

    await read_json_body(request, LIMITS)

    assert request.transport is not None
    request.transport.write.assert_called_once_with(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[attr-defined]
