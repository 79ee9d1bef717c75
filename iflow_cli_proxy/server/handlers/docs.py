"""`GET /openapi.json` and `GET /docs`: the description of every endpoint, for programs and for people.

Where client keys are required these require one as well (RELIABILITY I46). A browser has none to show, so that whoever
is signed in finds the same under `/admin`. Nothing of it is read before somebody asks.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import NotFound
from iflow_cli_proxy.server.admin.answers import seal
from iflow_cli_proxy.server.admin.pages import PageFile, answer_file, page_files
from iflow_cli_proxy.server.admin.paths import START
from iflow_cli_proxy.server.admin.visit import Visit

_FOLDER: Final = Path(__file__).parents[1] / "openapi" / "pages"
_PAGE: Final = "docs.html"


async def openapi(request: web.Request) -> web.Response:
    """Built the first time, in a thread: prompts are answered meanwhile."""
    from iflow_cli_proxy.server.openapi.document import document  # lazily: a start, and a life without it, need none

    return _answer(request, await asyncio.to_thread(document))


async def page(request: web.Request) -> web.Response:
    return _answer(request, await _file(_PAGE))


async def file(request: web.Request) -> web.Response:
    """What the page is made of."""
    name = request.match_info["file"]
    if name == _PAGE:
        raise _no_such_file()
    return _answer(request, await _file(name))


async def openapi_of_admin(visit: Visit) -> web.Response:
    return await openapi(visit.request)


async def page_of_admin(visit: Visit) -> web.Response:
    """Whoever is not signed in is led to where that is done: this is opened by hand."""
    if visit.session is None:
        return web.Response(status=303, headers={hdrs.LOCATION: START})
    return await page(visit.request)


async def file_of_admin(visit: Visit) -> web.Response:
    return await file(visit.request)


async def _file(name: str) -> PageFile:
    found = (await asyncio.to_thread(page_files, _FOLDER)).get(name)
    if found is None:
        raise _no_such_file()
    return found


def _no_such_file() -> NotFound:
    return NotFound("The page of the documentation has no such file.")


def _answer(request: web.Request, found: PageFile) -> web.Response:
    response = answer_file(request, found)
    seal(response.headers)
    return response
