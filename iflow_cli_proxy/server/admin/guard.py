"""The door of the admin page: what a call must show before its handler sees it (RELIABILITY I26 to I36).

Knows names, origins, sessions and tokens. Order matters: a page under a foreign name learns nothing, not even whether
anybody is signed in. Refuses to know what a call does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import hdrs, web

from iflow_cli_proxy.core.errors import Forbidden, InvalidRequest, NotFound, UnsupportedMedia
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.answers import language_of, spoken
from iflow_cli_proxy.server.admin.cookie import cookies_in
from iflow_cli_proxy.server.admin.sessions import Session, has_csrf
from iflow_cli_proxy.server.admin.visit import Visit, signed_out
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.middleware.client_auth import is_own_host
from iflow_cli_proxy.server.origin import is_foreign, is_ours

if TYPE_CHECKING:
    from iflow_cli_proxy.server.admin.desk import Desk

CSRF_HEADER: Final = "x-csrf-token"

Answer: TypeAlias = Json | web.StreamResponse
Handler: TypeAlias = Callable[[Visit], Awaitable[Answer]]


class Needs(Enum):
    """What a call must show."""

    NOTHING = auto()
    """Our own name only: the page itself, and where a sign-in comes back to."""
    ORIGIN = auto()
    """To come from a page of ours: nobody can be signed in yet."""
    SESSION = auto()
    """That somebody is signed in; what changes something, also the token of that session."""
    SOCKET = auto()
    """The same, and a page of ours, which browsers always name for a WebSocket."""


_WITH_SESSION: Final = frozenset({Needs.SESSION, Needs.SOCKET})


def guarded(desk: Desk, needs: Needs, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler behind its door."""

    async def handle(request: web.Request) -> web.StreamResponse:
        session = let_in(request, desk, needs)
        visit = Visit(request=request, desk=desk, session=session, needs_session=needs in _WITH_SESSION)
        answer = await handler(visit)
        if isinstance(answer, web.StreamResponse):
            return answer
        return json_answer(spoken(answer, language_of(request)))

    return handle


def let_in(request: web.Request, desk: Desk, needs: Needs) -> Session | None:
    """Who calls, if anybody is signed in.

    Raises:
        NotFound: the page is switched off.
        InvalidRequest: it was called by a foreign name (421).
        Forbidden: another page asks, or the token is missing.
        Unauthenticated: nobody is signed in.
    """
    admin, server = desk.state.settings.current.admin, desk.state.settings.current.server
    if not admin.enabled:
        raise NotFound("There is nothing at this path.")
    _check_host(request, server.host, admin.hosts)
    changes = request.method not in (hdrs.METH_GET, hdrs.METH_HEAD)
    if needs is not Needs.NOTHING:
        _check_origin(request, must_be_named=changes or needs is Needs.SOCKET)
    session = next(filter(None, map(desk.sessions.find, cookies_in(request))), None)
    if needs in _WITH_SESSION:
        if session is None:
            raise signed_out()
        if changes and not has_csrf(session, request.headers.get(CSRF_HEADER, "")):
            raise Forbidden(
                "The token of the page is missing or of another session.", hint="load the page again", code="csrf"
            )
    if changes and needs is not Needs.NOTHING:
        _check_type(request)
    return session


def _check_host(request: web.Request, bound: str, named: tuple[str, ...]) -> None:
    """Raises InvalidRequest: under a name that its owner can lead anywhere, a foreign page would be ours (I26)."""
    headers = request.headers.getall(hdrs.HOST, ())
    header = headers[0].lower() if len(headers) == 1 else ""
    is_named = header.partition(":")[0] in {name.lower() for name in named}
    if not header or not (is_named or is_own_host(header, bound)):
        raise InvalidRequest(
            "The admin page is not served under this name.",
            hint="call it by 127.0.0.1 or localhost, or name it in admin.hosts",
            param="Host",
            status=421,
            code="misdirected",
        )


def _check_origin(request: web.Request, *, must_be_named: bool) -> None:
    """Raises Forbidden unless a page of ours asks (I27). Programs that change something have to name one too."""
    if is_foreign(request) or (must_be_named and not is_ours(request)):
        raise Forbidden(
            "Only the admin page itself may do this.",
            hint="programs use `iflow2api` or send an Origin header with this address",
            param="Origin",
            code="foreign_origin",
        )


def _check_type(request: web.Request) -> None:
    """Raises UnsupportedMedia: a form of another site may send any other type without asking leave."""
    if request.content_type.lower() != "application/json" or hdrs.CONTENT_TYPE not in request.headers:
        raise UnsupportedMedia("The body is not JSON by its Content-Type.", hint="send `application/json`")
