"""Qwen's sign-in as the demo plays it: a device code with PKCE (RFC 8628, RFC 7636), and tokens that rotate.

Knows the wire as the reference of the vendor's client has it, and is as strict as it can be. Refuses to know chat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo.browsing import DevicePage
from iflow_cli_proxy.demo.desk import DEVICE_GRANT, Desk, form_complaint, read_form
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.grants import Devices, is_challenge
from iflow_cli_proxy.demo.mishaps import oauth_error
from iflow_cli_proxy.demo.sending import whole
from iflow_cli_proxy.demo.tokens import Pair, Rules, Tokens

CLIENT_ID: Final = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPE: Final = "openid profile email model.completion"
PAGE: Final = "/authorize"
DEVICE_PATH: Final = "/api/v1/oauth2/device/code"
TOKEN_PATH: Final = "/api/v1/oauth2/token"

_LIFETIME_S: Final = 21_600.0
_NO_FORM: Final = oauth_error(400, "invalid_request", "the body is not a form")


class QwenSignIn:
    """Who has signed in at Qwen, and the page and endpoints for it."""

    def __init__(self, desk: Desk, rules: Rules, clock: Clock, entropy: Entropy, *, api_path: str) -> None:
        self.tokens = Tokens(rules, clock, entropy, vendor_lifetime_s=_LIFETIME_S)
        self._desk = desk
        self._devices = Devices(rules, clock, entropy)
        self._page = DevicePage(desk, self._devices, PAGE, "Sign in to Qwen (demo)")
        self._api_path = api_path

    def routes(self) -> Iterator[web.RouteDef]:
        yield web.post(DEVICE_PATH, self._device)
        yield web.post(TOKEN_PATH, self._token)
        yield from self._page.routes()

    async def _device(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        if form is None:
            return whole(_NO_FORM)
        complaint = _head_complaint(request)
        page = f"{request.url.origin()}{PAGE}"
        return await self._desk.serve(request, "device", lambda: complaint or self._begin(form, page))

    def _begin(self, form: Mapping[str, str], page: str) -> Plain:
        complaint = form_complaint(form, "client_id", "scope", "code_challenge", "code_challenge_method")
        if complaint is not None:
            return complaint
        if form["client_id"] != CLIENT_ID:
            return oauth_error(401, "invalid_client")
        if form["scope"] != SCOPE:
            return oauth_error(400, "invalid_scope")
        if not is_challenge(form["code_challenge"], form["code_challenge_method"]):
            return oauth_error(400, "invalid_request", "a challenge by S256 is needed")
        return Plain(body=jsonx.encode(self._devices.begin(page, form["code_challenge"], client="qwen-code")))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        if form is None:
            return whole(_NO_FORM)
        complaint = _head_complaint(request)
        endpoint = {DEVICE_GRANT: "poll", "refresh_token": "refresh"}.get(form.get("grant_type", ""), "token")
        api = f"{request.url.origin()}{self._api_path}"
        return await self._desk.serve(request, endpoint, lambda: complaint or self._grant(endpoint, form, api))

    def _grant(self, endpoint: str, form: Mapping[str, str], api: str) -> Plain:
        fields = {"poll": ("device_code", "code_verifier"), "refresh": ("refresh_token",)}.get(endpoint)
        if fields is None:
            return oauth_error(400, "unsupported_grant_type")
        complaint = form_complaint(form, "grant_type", "client_id", *fields)
        if complaint is not None:
            return complaint
        if form["client_id"] != CLIENT_ID:
            return oauth_error(401, "invalid_client")
        if endpoint == "poll":
            person = self._devices.poll(form["device_code"], form["code_verifier"])
            return person if isinstance(person, Plain) else _tell(self.tokens.sign_in(person), api)
        pair = self.tokens.refresh(form["refresh_token"])
        return _tell(pair, api) if pair else oauth_error(400, "invalid_grant", "Invalid refresh token")


def _tell(pair: Pair, api: str) -> Plain:
    told = {"status": "success", **pair.fields, "token_type": "Bearer", "scope": SCOPE, "resource_url": api}
    return Plain(body=jsonx.encode(told))


def _head_complaint(request: web.Request) -> Plain | None:
    if request.headers.get("Accept") == "application/json":
        return None
    return oauth_error(400, "invalid_request", "Accept must be application/json")
