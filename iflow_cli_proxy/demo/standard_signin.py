"""A sign-in server without peculiarities, for providers that are only an `[providers.NAME.oauth]` table.

Knows the standards: authorization code with PKCE for a public client (RFC 6749, RFC 7636, RFC 8252), device code
(RFC 8628), refresh tokens that rotate. The access token is the API's bearer. Refuses to know chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo import pages
from iflow_cli_proxy.demo.browsing import DevicePage, is_loopback, send_back
from iflow_cli_proxy.demo.desk import DEVICE_GRANT, Desk, missing_fields, read_form
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.grants import Codes, Devices, is_challenge
from iflow_cli_proxy.demo.mishaps import oauth_error
from iflow_cli_proxy.demo.sending import whole
from iflow_cli_proxy.demo.tokens import Pair, Rules, Tokens

CLIENT_ID: Final = "demo-client"
AUTHORIZE_PATH: Final = "/standard/authorize"
DEVICE_PATH: Final = "/standard/device/code"
TOKEN_PATH: Final = "/standard/token"
PAGE: Final = "/standard/device"

_TITLE: Final = "Sign in to Standard (demo)"
_LIFETIME_S: Final = 3600.0
_ASKED: Final = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")
_GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "authorization_code": ("code", "code", "redirect_uri", "code_verifier"),
    DEVICE_GRANT: ("poll", "device_code"),
    "refresh_token": ("refresh", "refresh_token"),
}
"""Grant type: the endpoint it counts as, and the fields it needs."""


class StandardSignIn:
    """Who has signed in, and the pages and endpoints for it."""

    def __init__(self, desk: Desk, rules: Rules, clock: Clock, entropy: Entropy) -> None:
        self.tokens = Tokens(rules, clock, entropy, vendor_lifetime_s=_LIFETIME_S)
        self._desk = desk
        self._rules = rules
        self._codes = Codes(clock, entropy)
        self._devices = Devices(rules, clock, entropy)
        self._page = DevicePage(desk, self._devices, PAGE, _TITLE)

    def routes(self) -> Iterator[web.RouteDef]:
        yield web.get(AUTHORIZE_PATH, self._authorize)
        yield web.post(AUTHORIZE_PATH, self._decide)
        yield web.post(DEVICE_PATH, self._device)
        yield web.post(TOKEN_PATH, self._token)
        yield from self._page.routes()

    # --- in the browser ---

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        self._desk.calls["authorize"] += 1
        complaint = _complaint(request.query)
        if complaint:
            return pages.message(_TITLE, complaint, status=400)
        asked = {name: request.query[name] for name in _ASKED}
        if self._rules.approves_by_itself:
            return self._send_back(asked, pages.DEFAULT_ACCOUNT)
        return pages.choice(_TITLE, AUTHORIZE_PATH, asked)

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request) or {}
        complaint = _complaint(form)
        if complaint:
            return pages.message(_TITLE, complaint, status=400)
        if form.get("decision") != "approve":
            refusal = {"error": "access_denied", "state": form["state"]}
            return send_back(self._desk, form["redirect_uri"], refusal)
        try:
            return self._send_back(form, self._desk.sign_for(form.get("account", "")))
        except ValueError as error:
            return pages.message(_TITLE, f"{error}.", status=400)

    def _send_back(self, asked: Mapping[str, str], person: str) -> web.Response:
        code = self._codes.issue(person, asked["redirect_uri"], asked["code_challenge"])
        return send_back(self._desk, asked["redirect_uri"], {"code": code, "state": asked["state"]})

    # --- between programs ---

    async def _device(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request) or {}
        page = f"{request.url.origin()}{PAGE}"
        return await self._desk.serve(request, "device", lambda: self._begin(form, page))

    def _begin(self, form: Mapping[str, str], page: str) -> Plain:
        if form.get("client_id") != CLIENT_ID:
            return oauth_error(401, "invalid_client")
        challenge = form.get("code_challenge", "")
        if challenge and not is_challenge(challenge, form.get("code_challenge_method", "")):
            return oauth_error(400, "invalid_request", "a challenge must be one by S256")
        return Plain(body=jsonx.encode(self._devices.begin(page, challenge)))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request) or {}
        endpoint, *fields = _GRANTS.get(form.get("grant_type", ""), ("token",))
        if not fields:
            return whole(oauth_error(400, "unsupported_grant_type"))
        return await self._desk.serve(request, endpoint, lambda: self._grant(endpoint, fields, form))

    def _grant(self, endpoint: str, fields: list[str], form: Mapping[str, str]) -> Plain:
        if complaint := missing_fields(form, *fields):
            return complaint
        if form.get("client_id") != CLIENT_ID:
            return oauth_error(401, "invalid_client")
        if endpoint == "poll":
            person = self._devices.poll(form["device_code"], form.get("code_verifier", ""))
            return person if isinstance(person, Plain) else _tell(self.tokens.sign_in(person))
        if endpoint == "refresh":
            pair = self.tokens.refresh(form["refresh_token"])
            return _tell(pair) if pair else oauth_error(400, "invalid_grant", "the refresh token is dead")
        owner = self._codes.redeem(form["code"], form["redirect_uri"], form["code_verifier"])
        return _tell(self.tokens.sign_in(owner)) if owner else oauth_error(400, "invalid_grant")


def _complaint(asked: Mapping[str, str]) -> str:
    """What is wrong with an authorize request; nothing when it is right."""
    if missing := [name for name in _ASKED if not asked.get(name)]:
        return f"The address lacks {', '.join(missing)}."
    if asked["client_id"] != CLIENT_ID or asked["response_type"] != "code":
        return f"client_id must be {CLIENT_ID}, and response_type must be code."
    if not is_challenge(asked["code_challenge"], asked["code_challenge_method"]):
        return "A challenge by S256 is needed."
    return "" if is_loopback(asked["redirect_uri"]) else "The way back must lead to this machine."


def _tell(pair: Pair) -> Plain:
    return Plain(body=jsonx.encode({**pair.fields, "token_type": "Bearer"}))
