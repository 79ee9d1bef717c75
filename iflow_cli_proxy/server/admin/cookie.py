"""The cookie of a session: what it is called, and how it is set, found and taken back.

Browsers keep cookies by host and know no ports. The name ends in the port that the browser calls, or two gateways on
one machine would sign each other's browser out. What else runs on that host can set cookies of that name too, so all of
them are looked at: a made-up one beside ours signs nobody out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiohttp import hdrs, web

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.admin.paths import START

_PREFIX: Final = "iflow2api_admin_"
_USUAL_PORT: Final = 80
"""Where an address names none; what stands in front of us speaks plain HTTP to us."""


def cookie_name(request: web.BaseRequest) -> str:
    """By the address the browser has in its bar, which a proxy may have changed into another port."""
    return f"{_PREFIX}{request.url.port or _USUAL_PORT}"


def cookies_in(request: web.BaseRequest) -> Iterator[str]:
    """Everything that is sent under our name, each once."""
    name = cookie_name(request)
    pairs = (pair.partition("=") for header in request.headers.getall(hdrs.COOKIE, ()) for pair in header.split(";"))
    yield from dict.fromkeys(value.strip(' \t"') for key, _, value in pairs if key.strip() == name)


def set_cookie(request: web.BaseRequest, response: web.StreamResponse, secret: Secret) -> None:
    """Out of reach of scripts and of other sites."""
    response.set_cookie(
        cookie_name(request), secret.reveal(), path=START, httponly=True, samesite="Strict", secure=_is_https(request)
    )


def take_cookie(request: web.BaseRequest, response: web.StreamResponse) -> None:
    response.del_cookie(cookie_name(request), path=START, httponly=True, samesite="Strict", secure=_is_https(request))


def _is_https(request: web.BaseRequest) -> bool:
    """Whether the browser speaks TLS, be it to somebody in front of us: then the cookie may go nowhere else."""
    return request.scheme == "https" or request.headers.get(hdrs.ORIGIN, "").lower().startswith("https://")
