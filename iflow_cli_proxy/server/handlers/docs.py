"""`GET /openapi.json` and `GET /docs`: the description of every endpoint, for programs and for people.

Where client keys are required these require one as well (RELIABILITY I46). Nothing of it is read before somebody asks.
"""

from __future__ import annotations

import asyncio
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import NotFound

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PAGE: Final = "docs.html"
_FILES: Final = ("docs.css", "docs.js", "dom.js", "schema.js", "curl.js")
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _File(NamedTuple):
    body: bytes
    type: str
    etag: str


async def openapi(request: web.Request) -> web.StreamResponse:
    """Built the first time, in a thread: prompts are answered meanwhile."""
    from iflow_cli_proxy.server.openapi.document import document  # lazily: a start, and a life without it, need none

    found = await asyncio.to_thread(document)
    return _answer(request, _File(found.body, "application/json", found.etag))


async def page(request: web.Request) -> web.StreamResponse:
    return _answer(request, await asyncio.to_thread(_file, _PAGE))


async def file(request: web.Request) -> web.StreamResponse:
    """What the page is made of, by a fixed list of names."""
    name = request.match_info["file"]
    if name not in _FILES:
        raise NotFound("The page of the documentation has no such file.")
    return _answer(request, await asyncio.to_thread(_file, name))


@cache
def _file(name: str) -> _File:
    body = (resources.files("iflow_cli_proxy.server.openapi") / "pages" / name).read_bytes()
    return _File(body, _TYPES[name.rpartition(".")[2]], sha256(body).hexdigest()[:16])


def _answer(request: web.Request, found: _File) -> web.StreamResponse:
    """304 for a copy that is there already."""
    headers = {**_HEADERS, hdrs.ETAG: f'"{found.etag}"'}
    if any(tag.value in (found.etag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.type, charset="utf-8", headers=headers)
