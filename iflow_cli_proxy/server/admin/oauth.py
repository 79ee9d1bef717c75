"""`/admin/oauth/...`: begin a sign-in at a provider, bring its code, ask how it goes, give it up."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Final

from aiohttp import hdrs, web

from iflow_cli_proxy.config.safety import is_loopback
from iflow_cli_proxy.core.errors import ConfigError, InvalidRequest, LoginRequired, NotFound
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.accounts import label_named, provider_named, row_of
from iflow_cli_proxy.server.admin.answers import error_document, language_of
from iflow_cli_proxy.server.admin.flows import OUR_CALLBACK, Flow
from iflow_cli_proxy.server.admin.qr import qr_svg
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.signin import pages
from iflow_cli_proxy.signin.callback import code_of, read_callback
from iflow_cli_proxy.signin.pages import ADMIN_PAGE, Page

_HELD_S: Final = 60.0
"""How long a browser is kept waiting for the end."""


@dataclass(frozen=True, kw_only=True)
class _Begin:
    provider: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class _Paste:
    flow: str
    text: str = field(repr=False)


async def begin_code(visit: Visit) -> Json:
    """A page of the provider; its redirect ends here where the browser runs on this machine, else it is pasted."""
    wish = await visit.body(_Begin)
    provider, label = provider_named(visit.desk, wish.provider), label_named(wish.label)
    flow, url, lands_here = await visit.desk.flows.begin_code(
        provider, label, comes_back=_is_here(visit), own_port=_own_port(visit.request)
    )
    visit.note("a sign-in at %s was begun", provider)
    return {"flow": flow.id, "url": url, "expires_in_s": _seconds(visit, flow), "lands_here": lands_here}


async def begin_device(visit: Visit) -> Json:
    wish = await visit.body(_Begin)
    provider, label = provider_named(visit.desk, wish.provider), label_named(wish.label)
    try:
        flow, grant = await visit.desk.flows.begin_device(provider, label)
    except ConfigError as error:
        error.param = "provider"
        raise
    visit.note("a sign-in at %s was begun with a code", provider)
    return {
        "flow": flow.id,
        "user_code": grant.user_code,
        "verification_uri": grant.verification_uri,
        "verification_uri_complete": grant.verification_uri_complete,
        "qr_svg": qr_svg(grant.verification_uri_complete or grant.verification_uri),
        "expires_in_s": _seconds(visit, flow),
        "interval_s": grant.interval_s,
    }


async def paste(visit: Visit) -> Json:
    """A code or an address, as it was copied. What is no code changes nothing and can be pasted again."""
    given = await visit.body(_Paste)
    flow = _found(visit, given.flow)
    if not flow.state:
        raise InvalidRequest("Nothing is to be pasted for this sign-in.", status=409, code="no_paste")
    try:
        flow.paste(given.text)
    except LoginRequired as refusal:
        flow.fail(refusal)
    except InvalidRequest as error:
        error.param = "text"
        raise
    return await _document(visit, flow)


async def show_flow(visit: Visit) -> Json:
    return await _document(visit, _found(visit, visit.request.match_info["flow"]))


async def give_up(visit: Visit) -> Json:
    flow = _found(visit, visit.request.match_info["flow"])
    if flow.is_waiting:
        flow.give_up()
        visit.note("a sign-in at %s was given up", flow.provider)
    return {"given_up": True}


async def come_back(visit: Visit) -> web.StreamResponse:
    """Where the provider's page sends the browser. No cookie comes along from there: the state is the authority.

    The code leaves the address bar at once, and the next page waits for the end.
    """
    request = visit.request
    if (flow_id := request.query.get("flow")) is not None:
        flow = visit.desk.flows.find(flow_id)
        return _shown(pages.used_already() if flow is None else await _end_of(flow))
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return _shown(pages.not_served(403))
    login = "iflow2api login"
    try:
        callback = read_callback(request.query_string)
    except InvalidRequest as error:
        return _shown(pages.malformed(error.message, login))
    flow = visit.desk.flows.of_state(callback.state)
    if flow is None:
        return _shown(pages.foreign(login))
    try:
        flow.bring(code_of(callback, flow.state, needs_state=True))
    except InvalidRequest as error:
        return _shown(pages.malformed(error.message, login))
    except LoginRequired as refusal:
        if flow.brought.done():
            return _shown(pages.used_already())
        flow.fail(refusal)
    return web.Response(status=303, headers={hdrs.LOCATION: f"{OUR_CALLBACK}?flow={flow.id}"})


async def _end_of(flow: Flow) -> Page:
    try:
        async with asyncio.timeout(_HELD_S):
            await flow.ended.wait()
    except TimeoutError:
        return pages.in_progress()
    if flow.error is not None:
        return pages.failed(flow.error.message, "", ADMIN_PAGE)
    return pages.signed_in(f"You are signed in at {flow.provider}.", ADMIN_PAGE)


async def _document(visit: Visit, flow: Flow) -> Json:
    told = None if flow.error is None else error_document(flow.error, language_of(visit.request))
    return {
        "state": "waiting" if flow.is_waiting else "failed" if flow.error is not None else "done",
        "account": await row_of(visit.desk, flow.account_id) if flow.account_id else None,
        "error": told,
        "expires_in_s": _seconds(visit, flow) if flow.is_waiting else None,
    }


def _found(visit: Visit, flow_id: str) -> Flow:
    flow = visit.desk.flows.find(flow_id)
    if flow is None:
        raise NotFound("There is no such sign-in any more.", hint="begin another one")
    return flow


def _seconds(visit: Visit, flow: Flow) -> int:
    return math.floor(visit.desk.flows.seconds_left(flow))


def _is_here(visit: Visit) -> bool:
    """Whether the browser runs on this machine, as far as can be told: it came by loopback and calls us by it. A
    program in front of us that serves other names comes by loopback too."""
    host = visit.request.host.rpartition("]")[0][1:] or visit.request.host.partition(":")[0]
    return visit.is_from_here and is_loopback(host)


def _own_port(request: web.Request) -> int:
    """Where the browser has just reached us."""
    return request.url.port or 80


def _shown(page: Page) -> web.Response:
    return web.Response(
        status=page.status, body=page.html, content_type="text/html", charset="utf-8", headers=pages.HEADERS
    )
