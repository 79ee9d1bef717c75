"""Which web page asks: what changes or shows accounts is for our own pages and for programs (RELIABILITY I27)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import Forbidden

_SITE: Final = "Sec-Fetch-Site"


def refuse_other_origins(request: web.Request) -> None:
    """Browsers name the page that asks, and nobody else does. Raises Forbidden for a page of another origin."""
    if is_foreign(request):
        raise Forbidden("A web page of another origin may not touch the accounts here.", param="Origin")


def is_foreign(request: web.Request) -> bool:
    """Whether a browser says that a page of another origin asks."""
    is_named = bool(request.headers.getall(hdrs.ORIGIN, ()))
    return (is_named and not _names_us(request)) or request.headers.get(_SITE, "none") not in ("same-origin", "none")


def is_ours(request: web.Request) -> bool:
    """Whether a page of ours asks, and says so."""
    return _names_us(request) or request.headers.get(_SITE, "") == "same-origin"


def _names_us(request: web.Request) -> bool:
    origins = request.headers.getall(hdrs.ORIGIN, ())
    scheme, _, rest = origins[0].lower().partition("://") if len(origins) == 1 else ("", "", "")
    return scheme in ("http", "https") and bool(request.host) and rest == request.host.lower()
