"""The files of the admin page: a fixed list, read once, and nothing that is not on it.

Paths are looked up in that list and never on the disk, so that none can lead out of it. No build leaves anything else
there, but a list of kinds keeps source maps and notes away all the same (I46).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.server.admin.visit import Visit

_FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_SHELL: Final = "index.html"
_REVALIDATE: Final = "no-cache"
"""Kept by the browser, and asked about each time: an upgrade shows at once."""


@dataclass(frozen=True)
class PageFile:
    body: bytes
    kind: str
    tag: str


async def show_page(visit: Visit) -> web.StreamResponse:
    return _answer(visit.request, _SHELL)


async def show_file(visit: Visit) -> web.StreamResponse:
    return _answer(visit.request, visit.request.match_info["path"])


@cache
def page_files(folder: Path = _FOLDER) -> dict[str, PageFile]:
    """By their paths under the folder, with `/`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        kind = _KINDS.get(path.suffix)
        if kind is not None and path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            body = path.read_bytes()
            found[name] = PageFile(body, kind, f'"{sha256(body).hexdigest()[:32]}"')
    return found


def _answer(request: web.Request, name: str) -> web.Response:
    found = page_files().get(name)
    if found is None:
        raise NotFound("There is no such file.")
    return answer_file(request, found)


def answer_file(request: web.Request, found: PageFile) -> web.Response:
    """304 for a copy that is there already."""
    headers = {hdrs.ETAG: found.tag, hdrs.CACHE_CONTROL: _REVALIDATE}
    if found.tag in (tag.strip().removeprefix("W/") for tag in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, headers={**headers, hdrs.CONTENT_TYPE: found.kind})
