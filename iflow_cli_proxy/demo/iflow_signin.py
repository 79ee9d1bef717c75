"""iFlow's sign-in as the demo plays it: authorize page, code, tokens, and the profile with the API key.

Knows the wire as the reference of the vendor's client has it, and is as strict as it can be. Refuses to know chat: it
only puts the keys it hands out on the list.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo import pages
from iflow_cli_proxy.demo.auth import Keys
from iflow_cli_proxy.demo.browsing import is_loopback, send_back
from iflow_cli_proxy.demo.desk import Desk, basic, form_complaint, read_form
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.grants import Codes
from iflow_cli_proxy.demo.mishaps import OVERLOAD, failure, oauth_error
from iflow_cli_proxy.demo.sending import whole
from iflow_cli_proxy.demo.tokens import Pair, Rules, Tokens

CLIENT_ID: Final = "10009311001"
CLIENT_SECRET: Final = "4Z3YjXycVsQvyGF1etiNlIBB4RsqSDtW"
"""Public: it is part of the vendor's client."""
CODE_PAGE: Final = "/oauth/code-display"
VENDOR_CODE_PAGE: Final = f"https://iflow.cn{CODE_PAGE}"
"""Asked for by a client that was only told where to authorize; shown here, never there."""

AUTHORIZE_PATH: Final = "/oauth"
TOKEN_PATH: Final = "/oauth/token"
USERINFO_PATH: Final = "/api/oauth/getUserInfo"

_TITLE: Final = "Sign in to iFlow (demo)"
_LIFETIME_S: Final = 172_800.0
_ASKED: Final = ("loginMethod", "type", "redirect", "state", "client_id")


class IflowSignIn:
    """Who has signed in at iFlow, and the pages and endpoints for it."""

    def __init__(self, desk: Desk, keys: Keys, rules: Rules, clock: Clock, entropy: Entropy) -> None:
        self.tokens = Tokens(rules, clock, entropy, vendor_lifetime_s=_LIFETIME_S)
        self.key_of: dict[str, str] = {}
        """The API key of each person who has signed in."""
        self._desk = desk
        self._keys = keys
        self._rules = rules
        self._entropy = entropy
        self._codes = Codes(clock, entropy)

    def routes(self) -> Iterator[web.RouteDef]:
        yield web.get(AUTHORIZE_PATH, self._authorize)
        yield web.post(AUTHORIZE_PATH, self._decide)
        yield web.get(CODE_PAGE, self._show_code)
        yield web.get("/oauth/success", self._success)
        yield web.get("/oauth/error", self._error)
        yield web.post(TOKEN_PATH, self._token)
        yield web.get(USERINFO_PATH, self._userinfo)

    def renew_key(self, person: str) -> str:
        """Another API key; the one before has expired."""
        old = self.key_of.get(person)
        if old is not None:
            self._keys.good.discard(old)
            self._keys.expired.add(old)
        key = self.key_of[person] = f"sk-{self._entropy(16).hex()}"
        self._keys.good.add(key)
        return key

    # --- in the browser ---

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        self._desk.calls["authorize"] += 1
        origin = str(request.url.origin())
        complaint = _complaint(request.query, origin)
        if complaint:
            return pages.message(_TITLE, complaint, status=400)
        asked = {name: request.query[name] for name in _ASKED}
        if self._rules.approves_by_itself:
            return self._send_back(asked, origin, pages.DEFAULT_ACCOUNT)
        return pages.choice(_TITLE, AUTHORIZE_PATH, asked)

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request) or {}
        origin = str(request.url.origin())
        complaint = _complaint(form, origin)
        if complaint:
            return pages.message(_TITLE, complaint, status=400)
        if form.get("decision") != "approve":
            return self._send_back(form, origin, None)
        try:
            return self._send_back(form, origin, self._desk.sign_for(form.get("account", "")))
        except ValueError as error:
            return pages.message(_TITLE, f"{error}.", status=400)

    def _send_back(self, asked: Mapping[str, str], origin: str, person: str | None) -> web.Response:
        """To the address that was asked for; None: the person refused."""
        place = CODE_PAGE if _is_code_page(asked["redirect"], origin) else asked["redirect"]
        said = {"error": "access_denied"} if person is None else {"code": self._codes.issue(person, asked["redirect"])}
        return send_back(self._desk, place, {**said, "state": asked["state"]})

    async def _show_code(self, request: web.Request) -> web.StreamResponse:
        code = request.query.get("code", "")
        if not code:
            return pages.message(_TITLE, f"There is no code: {request.query.get('error', 'nothing was sent')}.")
        return pages.code(code)

    async def _success(self, _: web.Request) -> web.StreamResponse:
        return pages.message("Signed in", "You may close this page and go back to your program.")

    async def _error(self, _: web.Request) -> web.StreamResponse:
        return pages.message("Not signed in", "Something went wrong; your program knows more.")

    # --- between programs ---

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        if form is None:
            return whole(oauth_error(400, "invalid_request", "the body is not a form"))
        authorization = request.headers.get("Authorization", "")
        endpoint = {"authorization_code": "code", "refresh_token": "refresh"}.get(form.get("grant_type", ""), "token")
        return await self._desk.serve(request, endpoint, lambda: self._grant(endpoint, form, authorization))

    def _grant(self, endpoint: str, form: Mapping[str, str], authorization: str) -> Plain:
        fields = {"code": ("code", "redirect_uri"), "refresh": ("refresh_token",)}.get(endpoint)
        if fields is None:
            return oauth_error(400, "unsupported_grant_type")
        complaint = form_complaint(form, "grant_type", *fields, "client_id", "client_secret")
        if complaint is not None:
            return complaint
        is_known = (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        if not is_known or authorization != basic(CLIENT_ID, CLIENT_SECRET):
            return oauth_error(401, "invalid_client", "the client stands in the form and in a Basic header")
        return self._redeem(form) if endpoint == "code" else self._refresh(form["refresh_token"])

    def _redeem(self, form: Mapping[str, str]) -> Plain:
        person = self._codes.redeem(form["code"], form["redirect_uri"])
        if person is None:
            return oauth_error(400, "invalid_grant", "the code is used, too old, or for another address")
        if person not in self.key_of:
            self.renew_key(person)
        return _tell(self.tokens.sign_in(person))

    def _refresh(self, refresh_token: str) -> Plain:
        pair = self.tokens.refresh(refresh_token)
        if pair is None:
            return oauth_error(400, "invalid_grant") if self._rules.says_invalid_grant else OVERLOAD
        if self._rules.renews_keys:
            self.renew_key(pair.person)
        return _tell(pair)

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        is_as_expected = set(request.query) == {"accessToken"} and "Authorization" not in request.headers
        token = request.query.get("accessToken", "")
        return await self._desk.serve(request, "userinfo", lambda: self._profile(token, is_as_expected))

    def _profile(self, access_token: str, is_as_expected: bool) -> Plain:
        if not is_as_expected:
            return Plain(status=400, body=failure("400", "accessToken, and nothing else").body)
        person = self.tokens.person_of(access_token)
        if person is None:
            return Plain(status=401, body=failure("401", "access token is not valid").body)
        number = 1_000_000 + zlib.crc32(person.encode()) % 1_000_000
        data = {
            "apiKey": self.key_of[person],
            "userId": str(number),
            "userName": f"user_{number}",
            "avatar": "",
            "email": person if "@" in person else f"{person}@demo.example",
            "phone": f"138****{number % 10_000:04}",
        }
        return Plain(body=jsonx.encode({"success": True, "data": data}))


def _complaint(asked: Mapping[str, Any], origin: str) -> str:
    """What is wrong with an authorize request; nothing when it is right."""
    if missing := [name for name in _ASKED if not asked.get(name)]:
        return f"The address lacks {', '.join(missing)}."
    if asked["client_id"] != CLIENT_ID or asked["loginMethod"] != "phone" or asked["type"] != "phone":
        return "client_id, loginMethod or type is not the vendor's."
    if _is_code_page(asked["redirect"], origin):
        return ""
    is_here = is_loopback(asked["redirect"])
    return "" if is_here else "The way back must lead to this machine or to the page that shows the code."


def _is_code_page(redirect: str, origin: str) -> bool:
    return redirect in (VENDOR_CODE_PAGE, f"{origin}{CODE_PAGE}")


def _tell(pair: Pair) -> Plain:
    return Plain(body=jsonx.encode({**pair.fields, "token_type": "bearer", "scope": "read"}))
