"""The vendors' own clients, as far as signing in at the demo goes: every request by hand, none through the package."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import aiohttp

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.run import DemoUpstream

IFLOW_ID: Final = "10009311001"
IFLOW_SECRET: Final = "4Z3YjXycVsQvyGF1etiNlIBB4RsqSDtW"
IFLOW_BASIC: Final = f"Basic {b64encode(f'{IFLOW_ID}:{IFLOW_SECRET}'.encode()).decode()}"
QWEN_ID: Final = "f0304373b74a44d2b584a3fb70ca9e56"
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""Of RFC 7636, appendix B."""
REDIRECT: Final = "http://localhost:11451/oauth2callback"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return jsonx.decode(self.body)

    @property
    def query(self) -> dict[str, str]:
        """Of the address a redirect leads to."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.headers["location"]).query).items()}


class Caller:
    """One client of the demo; fields given by name replace what it would send, None takes them out."""

    def __init__(self, demo: DemoUpstream, session: aiohttp.ClientSession) -> None:
        self.demo = demo
        self.session = session

    async def send(self, method: str, path: str, **more: Any) -> Answer:
        async with self.session.request(method, f"{self.demo.origin}{path}", allow_redirects=False, **more) as reply:
            return Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, await reply.read())

    # --- iFlow ---

    async def authorize(self, **changes: str | None) -> Answer:
        return await self.send("GET", "/oauth", params=_asked(**changes))

    async def decide(self, decision: str = "approve", account: str = "ada", **changes: str | None) -> Answer:
        return await self.send("POST", "/oauth", data={**_asked(**changes), "decision": decision, "account": account})

    async def code(self, account: str = "ada") -> str:
        return (await self.decide(account=account)).query["code"]

    async def redeem(self, code: str, *, basic: str = IFLOW_BASIC, **changes: str | None) -> Answer:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        return await self.iflow_token({**form, **changes}, basic=basic)

    async def iflow_refresh(self, refresh_token: str, *, basic: str = IFLOW_BASIC, **changes: str | None) -> Answer:
        return await self.iflow_token(
            {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}, basic=basic
        )

    async def iflow_token(self, form: dict[str, str | None], *, basic: str = IFLOW_BASIC) -> Answer:
        whole = _given({"client_id": IFLOW_ID, "client_secret": IFLOW_SECRET, **form})
        return await self.send("POST", "/oauth/token", data=whole, headers={"Authorization": basic} if basic else {})

    async def iflow_sign_in(self, account: str = "ada") -> Any:
        """The token answer."""
        return (await self.redeem(await self.code(account))).json

    async def userinfo(self, access_token: str, **more: Any) -> Answer:
        return await self.send("GET", "/api/oauth/getUserInfo", params={"accessToken": access_token}, **more)

    # --- Qwen ---

    async def device(self, *, accept: str = "application/json", **changes: str | None) -> Answer:
        form = {
            "client_id": QWEN_ID,
            "scope": "openid profile email model.completion",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        data = _given({**form, **changes})
        return await self.send("POST", "/api/v1/oauth2/device/code", data=data, headers={"Accept": accept})

    async def confirm(self, user_code: str, decision: str = "approve", account: str = "ada") -> Answer:
        data = {"user_code": user_code, "decision": decision, "account": account}
        return await self.send("POST", "/authorize", data=data)

    async def poll(self, device_code: str, **changes: str | None) -> Answer:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": device_code,
            "code_verifier": VERIFIER,
        }
        return await self.qwen_token({**form, **changes})

    async def qwen_refresh(self, refresh_token: str, **changes: str | None) -> Answer:
        return await self.qwen_token({"grant_type": "refresh_token", "refresh_token": refresh_token, **changes})

    async def qwen_token(self, form: dict[str, str | None]) -> Answer:
        data = _given({"client_id": QWEN_ID, **form})
        return await self.send("POST", "/api/v1/oauth2/token", data=data, headers={"Accept": "application/json"})

    async def qwen_sign_in(self, account: str = "ada") -> Any:
        """The token answer."""
        grant = (await self.device()).json
        await self.confirm(grant["user_code"], account=account)
        return (await self.poll(grant["device_code"])).json


def _asked(**changes: str | None) -> dict[str, str]:
    asked = {"loginMethod": "phone", "type": "phone", "redirect": REDIRECT, "state": "s1", "client_id": IFLOW_ID}
    return _given({**asked, **changes})


def _given(form: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in form.items() if value is not None}
