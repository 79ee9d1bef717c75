"""The server without peculiarities over a real socket, called as the standards say."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.demo.run import DemoUpstream
from tests.support.demo_signin import CHALLENGE, VERIFIER, Answer, Caller
from tests.support.fake_clock import FakeClock

REDIRECT = "http://127.0.0.1:8123/callback"
ASKED = {
    "response_type": "code",
    "client_id": "demo-client",
    "redirect_uri": REDIRECT,
    "state": "s1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


async def token(person: Caller, grant_type: str, **fields: str) -> Answer:
    form = {"grant_type": grant_type, "client_id": "demo-client", **fields}
    return await person.send("POST", "/standard/token", data=form)


async def code(person: Caller) -> str:
    answer = await person.send("POST", "/standard/authorize", data={**ASKED, "decision": "approve", "account": "ada"})
    return answer.query["code"]


async def sign_in(person: Caller) -> Any:
    fields = {"code": await code(person), "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return (await token(person, "authorization_code", **fields)).json


async def test_the_page_offers_to_sign_in_or_to_refuse(person: Caller) -> None:
    page = await person.send("GET", "/standard/authorize", params={**ASKED, "scope": "openid"})
    assert page.status == 200
    assert b"Sign in as demo user" in page.body
    refused = await person.send("POST", "/standard/authorize", data={**ASKED, "decision": "refuse"})
    assert refused.query == {"error": "access_denied", "state": "s1"}


@pytest.mark.parametrize("name", ASKED)
async def test_a_missing_parameter_is_named(person: Caller, name: str) -> None:
    page = await person.send("GET", "/standard/authorize", params={**ASKED, name: ""})
    assert page.status == 400
    assert name.encode() in page.body


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "x"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"redirect_uri": "https://evil.example/cb"},
    ],
)
async def test_a_wrong_parameter_is_refused(person: Caller, wrong: dict[str, str]) -> None:
    for method, where in (("GET", "params"), ("POST", "data")):
        page = await person.send(method, "/standard/authorize", **{where: {**ASKED, **wrong}})
        assert page.status == 400


async def test_a_code_becomes_tokens_whose_access_token_is_the_bearer(person: Caller, clock: FakeClock) -> None:
    told = await sign_in(person)
    assert set(told) == {"access_token", "refresh_token", "expires_in", "token_type"}
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    body = {"model": "glm-5", "messages": [{"role": "user", "content": "hi"}]}

    for path in ("/standard/v1/chat/completions", "/standard/v1/models"):
        method, more = ("GET", {}) if path.endswith("models") else ("POST", {"json": body})
        assert (await person.send(method, path, **more)).status == 401
        assert (await person.send(method, path, headers=bearer, **more)).status == 200
    clock.advance(told["expires_in"])
    assert (await person.send("GET", "/standard/v1/models", headers=bearer)).status == 401


async def test_i52_a_code_without_its_verifier_is_nothing(person: Caller) -> None:
    fields = {"code": await code(person), "redirect_uri": REDIRECT}
    lacking = await token(person, "authorization_code", **fields)
    wrong = await token(person, "authorization_code", **fields, code_verifier=VERIFIER[::-1])
    assert [lacking.json["error"], wrong.json["error"]] == ["invalid_request", "invalid_grant"]


@pytest.mark.parametrize("proof", [{}, {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}])
async def test_a_device_code_works_with_and_without_a_challenge(person: Caller, proof: dict[str, str]) -> None:
    grant = (await person.send("POST", "/standard/device/code", data={"client_id": "demo-client", **proof})).json
    fields = {"device_code": grant["device_code"], **({"code_verifier": VERIFIER} if proof else {})}
    assert (await token(person, DEVICE_GRANT, **fields)).json["error"] == "authorization_pending"

    decision = {"user_code": grant["user_code"], "decision": "approve", "account": "ada"}
    assert grant["verification_uri"] == f"{person.demo.origin}/standard/device"
    assert (await person.send("POST", "/standard/device", data=decision)).status == 200

    assert "access_token" in (await token(person, DEVICE_GRANT, **fields)).json


@pytest.mark.parametrize("form", [{}, {"client_id": "x"}, {"client_id": "demo-client", "code_challenge": "short"}])
async def test_a_wrong_device_request_is_refused(person: Caller, form: dict[str, str]) -> None:
    assert (await person.send("POST", "/standard/device/code", data=form)).status in (400, 401)


async def test_a_refresh_rotates_and_a_dead_token_is_told(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.reuse_window_s = 0
    first = await sign_in(person)
    second = await token(person, "refresh_token", refresh_token=first["refresh_token"])
    dead = await token(person, "refresh_token", refresh_token=first["refresh_token"])
    assert second.json["refresh_token"] != first["refresh_token"]
    assert (dead.status, dead.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("grant", "fields", "error"),
    [
        ("password", {}, "unsupported_grant_type"),
        ("refresh_token", {}, "invalid_request"),
        ("refresh_token", {"refresh_token": "x", "client_id": "x"}, "invalid_client"),
    ],
)
async def test_a_wrong_token_request_is_refused(person: Caller, grant: str, fields: dict[str, str], error: str) -> None:
    assert (await token(person, grant, **fields)).json["error"] == error


async def test_faults_and_approval_work_as_at_the_vendors(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.approves_by_itself = True
    signing.app.oauth.faults.append("code:http_503")
    answer = await person.send("GET", "/standard/authorize", params=ASKED)
    fields = {"code": answer.query["code"], "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    assert (await token(person, "authorization_code", **fields)).status == 503
    assert (await token(person, "authorization_code", **fields)).status == 200
