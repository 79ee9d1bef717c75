"""Reading a request's body: typed, bounded in size and in time.

A body has to be called JSON, since a web page may send any other type anywhere without asking leave first. Ollama's
documentation calls its API with a plain `curl -d`, which calls every body a form: under `/api/` a program may call it
what it likes. A program is what sends neither `Origin` nor `Sec-Fetch-Site`. Browsers put at least one of them on each
POST to another site, and no page can take it off.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core.errors import ClientTooSlow, InvalidRequest, TooLarge, UnsupportedMedia
from iflow_cli_proxy.server.dialect import OLLAMA, protocol_of

_JSON_HINT: Final = "send `Content-Type: application/json`"


async def read_json_body(request: web.Request, limits: ServerSettings) -> bytes:
    """The body as bytes.

    Raises:
        UnsupportedMedia: not JSON by its headers, or compressed.
        TooLarge: declared or found longer than `max_body_bytes`.
        ClientTooSlow: not complete within `body_timeout_s`.
        InvalidRequest: the body broke off.
    """
    _check_headers(request)
    declared = request.content_length
    if declared is not None and declared > limits.max_body_bytes:
        raise _too_large(limits)
    content = request.content
    if content.is_eof():
        return content.read_nowait(-1)
    if hdrs.EXPECT in request.headers:
        _grant(request)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            while chunk := await content.readany():
                size += len(chunk)
                if size > limits.max_body_bytes:
                    raise _too_large(limits)
                pieces.append(chunk)
    except TimeoutError:
        raise ClientTooSlow(f"The body did not arrive within {limits.body_timeout_s:g} s.") from None
    except web.RequestPayloadError as error:
        raise InvalidRequest("The body broke off or its framing is wrong.") from error
    return b"".join(pieces)


def _grant(request: web.Request) -> None:
    """The client waits for leave to send its body. `Expect` is `100-continue`: others were refused at the door."""
    if request.version >= HttpVersion11 and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _check_headers(request: web.Request) -> None:
    if (encoding := request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()) != "identity":
        shown = encoding if encoding.isalnum() else "this coding"
        raise UnsupportedMedia(f"A body compressed with {shown} is not taken.", hint="send it uncompressed")
    header = request.headers.get(hdrs.CONTENT_TYPE)
    if header is None:
        # Browsers omit the type to avoid a preflight; programs forget it. Only the former say where they come from.
        if hdrs.ORIGIN in request.headers:
            raise UnsupportedMedia("The body has no type.", hint=_JSON_HINT)
        return
    kind, *parameters = (piece.strip().lower() for piece in header.split(";"))
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json and not _may_call_it_anything(request):
        raise UnsupportedMedia("The body is not JSON by its Content-Type.", hint=_JSON_HINT)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8"):
            raise UnsupportedMedia("The body must be UTF-8.", hint=_JSON_HINT)


def _may_call_it_anything(request: web.Request) -> bool:
    is_page = hdrs.ORIGIN in request.headers or "Sec-Fetch-Site" in request.headers
    return not is_page and protocol_of(request.path, request.headers) == OLLAMA


def _too_large(limits: ServerSettings) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limits.max_body_bytes} bytes.", hint="raise server.max_body_bytes if it must be"
    )
