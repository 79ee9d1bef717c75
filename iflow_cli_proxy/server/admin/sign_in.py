"""`/admin/session`, `setup`, `login`, `logout`, `password`: how somebody comes in, and out again.

Every way in makes a session of its own: what a browser held before means nothing afterwards (I34).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from aiohttp import web

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core.errors import Unauthenticated
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.cookie import set_cookie, take_cookie
from iflow_cli_proxy.server.admin.sessions import Session
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.state.atomic import Stamp


@dataclass(frozen=True, kw_only=True)
class _SetUp:
    token: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Login:
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Change:
    current: str = field(repr=False)
    new: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """The body of calls that say everything in their path."""


async def show_session(visit: Visit) -> Json:
    return await _document(visit, visit.session)


async def set_up(visit: Visit) -> web.StreamResponse:
    given = await visit.body(_SetUp)
    await visit.desk.set_first_password(given.token, given.password, visit.address)
    visit.note("the first password was set")
    return await _come_in(visit)


async def log_in(visit: Visit) -> web.StreamResponse:
    given = await visit.body(_Login)
    await _check(visit, given.password)
    visit.note("signed in")
    return await _come_in(visit)


async def log_out(visit: Visit) -> web.StreamResponse:
    await visit.body(Nothing)
    visit.note("signed out")
    visit.desk.sessions.end(visit.signed_in)
    response = json_answer({"signed_out": True})
    take_cookie(visit.request, response)
    return response


async def change_password(visit: Visit) -> web.StreamResponse:
    """All sessions end, this one too: another one takes its place."""
    given = await visit.body(_Change)
    known = await _check(visit, given.current)
    ended = await visit.desk.set_password(given.new, instead_of=known)
    visit.note("the password was changed; %d sessions ended", ended)
    return await _come_in(visit)


async def _check(visit: Visit, password: str) -> Stamp | None:
    """Raises what `Desk.check_password` raises; a wrong one leaves a line, and those are as few as tries are."""
    try:
        return await visit.desk.check_password(password, visit.address)
    except Unauthenticated:
        visit.note("a wrong password was given")
        raise


async def _come_in(visit: Visit) -> web.StreamResponse:
    if visit.session is not None:
        visit.desk.sessions.end(visit.session)
    secret, session = visit.desk.sessions.begin()
    response = json_answer(await _document(visit, session))
    set_cookie(visit.request, response, secret)
    return response


async def _document(visit: Visit, session: Session | None) -> Json:
    sessions = visit.desk.sessions
    return {
        "setup_needed": session is None and not await visit.desk.has_password(),
        "signed_in": session is not None,
        "csrf": None if session is None else session.csrf,
        "version": __version__,
        "expires_in_s": None if session is None else math.floor(sessions.seconds_left(session)),
    }
