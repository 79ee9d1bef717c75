"""Which web page asks: what changes or shows accounts is for our own pages and for programs (RELIABILITY I27)."""

from __future__ import annotations

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import Forbidden


def refuse_other_origins(request: web.Request) -> None:
    """Browsers name the page that asks, and nobody else does. Raises Forbidden for a page of another origin."""
    origin = request.headers.get(hdrs.ORIGIN)
    is_ours = origin is None or (origin.partition("://")[2] == request.host and bool(request.host))
    if not is_ours or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("A web page of another origin may not touch the accounts here.", param="Origin")
