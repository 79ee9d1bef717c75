"""What a request head must satisfy before the application sees it, beyond what aiohttp's parser checks.

Observed with aiohttp 3.14.5, which lets all of these pass: HTTP/0.9 and HTTP/2.0 request lines, `Transfer-Encoding` on
HTTP/1.0, codings besides `chunked`, a `Content-Length` of 2^64-1 (read as no body), CONNECT and absolute targets
(served as if they were paths), any text in `Host`. Knows nothing of routes, keys and bodies.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, hdrs, web

from iflow_cli_proxy.core.errors import ExpectationFailed, GatewayError, InvalidRequest, MethodNotAllowed

_NEVER_SERVED: Final = frozenset({hdrs.METH_CONNECT, hdrs.METH_TRACE})
_CONTINUE: Final = "100-continue"
_LONGEST_LENGTH: Final = 18
"""Digits of a Content-Length; more could not be counted in 64 bits, and nobody sends an exabyte."""
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]{0,5})?")
_SUSPICIOUS: Final = re.compile(r"%|\\|/\.|//|[^\x21-\x7e]")
_FORBIDDEN: Final = re.compile(rb"[\x00-\x1f\x7f\\]|/\.{1,2}(/|$)")
_LAYERS: Final = 4
"""How often a path may be wrapped in percent-encoding before that alone is reason enough to refuse it."""


def check_head(request: web.BaseRequest) -> GatewayError | None:
    """Why this request may not go further, or None."""
    headers = request.headers
    version = request.version
    if not is_spoken(version):
        return InvalidRequest("Only HTTP/1.0 and HTTP/1.1 are spoken here.")
    if request.method in _NEVER_SERVED:
        return MethodNotAllowed(f"{request.method} is not served here.")
    coding = headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and (version != HttpVersion11 or coding.strip().lower() != "chunked"):
        return InvalidRequest("Only `Transfer-Encoding: chunked` is taken, and only with HTTP/1.1.")
    if len(headers.get(hdrs.CONTENT_LENGTH, "")) > _LONGEST_LENGTH:
        return InvalidRequest("The Content-Length is out of range.")
    if headers.get(hdrs.EXPECT, _CONTINUE).lower() != _CONTINUE:
        return ExpectationFailed("Only `Expect: 100-continue` can be met.", param="Expect")
    if not _HOST.fullmatch(headers.get(hdrs.HOST, "")):
        return InvalidRequest("The Host header is not a host name.", param="Host")
    return _check_target(request.raw_path)


def is_spoken(version: HttpVersion) -> bool:
    return version in (HttpVersion11, HttpVersion10)


def _check_target(target: str) -> GatewayError | None:
    """Refuses anything but a plain path: other forms belong to proxies, climbing ones to nobody.

    `*` passes; there is no route for it.
    """
    path = target.partition("?")[0]
    if not path.startswith("/") and path != "*":
        return InvalidRequest("The request target must be a path.")
    if _SUSPICIOUS.search(path) and is_treacherous(path):
        return InvalidRequest("The path is malformed.")
    return None


def is_treacherous(path: str) -> bool:
    """Whether a path means something else to somebody: dots that climb, control characters, a host in disguise."""
    if path.startswith("//"):
        return True
    found = path.encode("utf-8", "surrogateescape")
    for _ in range(_LAYERS):
        if _FORBIDDEN.search(found):
            return True
        inner = unquote_to_bytes(found)
        if inner == found:
            return False
        found = inner
    return True


def is_ignored_upgrade(request: web.BaseRequest) -> bool:
    """Whether the client offered another protocol that nobody here takes up, such as `Upgrade: h2c`."""
    return hdrs.UPGRADE in request.headers and request.headers[hdrs.UPGRADE].lower() != "websocket"
