"""iFlow's pages and endpoints over a real socket, called the way the vendor's client calls them."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.demo.run import DemoUpstream
from tests.support.demo_signin import IFLOW_SECRET, REDIRECT, Caller
from tests.support.fake_clock import FakeClock


async def models_status(person: Caller, key: str) -> tuple[int, str]:
    """The HTTP status of the model list with this key, and the vendor's own status inside it."""
    answer = await person.send("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
    return answer.status, answer.json.get("status", "")


# --- authorize ---


async def test_the_page_offers_to_sign_in_or_to_refuse(person: Caller, signing: DemoUpstream) -> None:
    answer = await person.authorize()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert b"Sign in as demo user" in answer.body
    assert b'name="state" value="s1"' in answer.body
    assert signing.app.oauth.calls["authorize"] == 1


async def test_signing_in_brings_code_and_state_back(person: Caller) -> None:
    answer = await person.decide()
    assert answer.status == 302
    assert answer.headers["location"].startswith(f"{REDIRECT}?code=")
    assert answer.query["state"] == "s1"


async def test_refusing_brings_an_error_back(person: Caller) -> None:
    answer = await person.decide("refuse")
    assert answer.query == {"error": "access_denied", "state": "s1"}


async def test_a_redirect_with_a_query_keeps_it(person: Caller) -> None:
    answer = await person.decide(redirect="http://127.0.0.1:1/cb?a=1")
    assert answer.headers["location"].startswith("http://127.0.0.1:1/cb?a=1&code=")


async def test_nobody_has_to_press_a_button_when_told_so(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.approves_by_itself = True
    code = (await person.authorize()).query["code"]
    assert (await person.redeem(code)).status == 200


@pytest.mark.parametrize("name", ["redirect", "state", "client_id", "loginMethod", "type"])
async def test_a_missing_parameter_is_named(person: Caller, name: str) -> None:
    answer = await person.authorize(**{name: None})
    assert answer.status == 400
    assert name.encode() in answer.body


@pytest.mark.parametrize(("name", "value"), [("client_id", "1"), ("loginMethod", "mail"), ("type", "mail")])
async def test_a_wrong_parameter_is_refused(person: Caller, name: str, value: str) -> None:
    assert (await person.authorize(**{name: value})).status == 400
    assert (await person.decide(**{name: value})).status == 400


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/cb",
        "http://evil.example/cb",
        "http://localhost@evil.example/cb",
        "http://localhost:1@evil.example/cb",
        "http://user@localhost/cb",
        "javascript:alert(1)",
        "//evil.example",
        "https://iflow.cn/oauth/other",
    ],
)
async def test_i53_the_way_back_never_leaves_this_machine(person: Caller, redirect: str) -> None:
    assert (await person.authorize(redirect=redirect)).status == 400
    answer = await person.decide(redirect=redirect)
    assert answer.status == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("redirect", ["https://iflow.cn/oauth/code-display", "own"])
async def test_the_code_is_shown_when_the_vendors_or_our_code_page_is_asked_for(person: Caller, redirect: str) -> None:
    redirect = f"{person.demo.origin}/oauth/code-display" if redirect == "own" else redirect
    answer = await person.decide(redirect=redirect)
    assert answer.headers["location"].startswith("/oauth/code-display?code=")
    code = answer.query["code"]

    page = await person.send("GET", answer.headers["location"])

    assert f'<code id="code">{code}</code>'.encode() in page.body
    assert (await person.redeem(code, redirect_uri=redirect)).status == 200


async def test_the_code_page_says_when_there_is_none(person: Caller) -> None:
    page = await person.send("GET", "/oauth/code-display", params={"error": "access_denied<b>"})
    assert b"access_denied&lt;b&gt;" in page.body


@pytest.mark.parametrize("name", ["success", "error"])
async def test_there_is_a_page_for_each_end(person: Caller, name: str) -> None:
    assert (await person.send("GET", f"/oauth/{name}")).status == 200


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("refused", {"error": "access_denied", "state": "s1"}),
        ("wrong_state", {"state": "a-state-of-somebody-else"}),
        ("unknown_code", {"code": "code-demo-nobody-has-it"}),
    ],
)
async def test_i49_i50_the_browser_can_be_sent_home_with_something_wrong(
    person: Caller, signing: DemoUpstream, fault: str, wrong: dict[str, str]
) -> None:
    signing.app.oauth.faults.append(fault)
    query = (await person.decide()).query
    assert query.items() >= wrong.items()
    assert (await person.decide()).query["state"] == "s1"


@pytest.mark.parametrize("name", ["state", "code"])
async def test_i49_the_browser_can_be_sent_home_without_state_or_code(
    person: Caller, signing: DemoUpstream, name: str
) -> None:
    signing.app.oauth.faults.append(f"no_{name}")
    assert name not in (await person.decide()).query


# --- token ---


async def test_a_code_becomes_tokens(person: Caller, signing: DemoUpstream) -> None:
    told = await person.iflow_sign_in()
    assert set(told) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert (told["expires_in"], told["token_type"], told["scope"]) == (172_800, "bearer", "read")
    assert signing.app.oauth.calls == {"code": 1}


async def test_the_lifetime_can_be_set(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.token_lifetime_s = 2.5
    assert (await person.iflow_sign_in())["expires_in"] == 2.5


async def test_i50_a_code_works_once(person: Caller) -> None:
    code = await person.code()
    assert (await person.redeem(code)).status == 200
    again = await person.redeem(code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


async def test_a_code_is_for_one_address_and_for_ten_minutes(person: Caller, clock: FakeClock) -> None:
    elsewhere = await person.redeem(await person.code(), redirect_uri="http://127.0.0.1:11451/oauth2callback")
    code = await person.code()
    clock.advance(600)
    late = await person.redeem(code)
    assert elsewhere.json["error"] == late.json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "basic", "error"),
    [
        ({"client_secret": None}, None, "invalid_request"),
        ({"redirect_uri": None}, None, "invalid_request"),
        ({"code_verifier": "x"}, None, "invalid_request"),
        ({"client_secret": "x"}, None, "invalid_client"),
        ({}, "", "invalid_client"),
        ({}, "Basic eDp4", "invalid_client"),
        ({"grant_type": "password"}, None, "unsupported_grant_type"),
    ],
)
async def test_the_form_and_the_header_must_be_exactly_the_vendors(
    person: Caller, changes: dict[str, str | None], basic: str | None, error: str
) -> None:
    given = {} if basic is None else {"basic": basic}
    code = await person.code()
    answer = await person.redeem(code, **given, **changes)  # type: ignore[arg-type]
    assert answer.json["error"] == error
    assert (await person.redeem(code)).status == 200, "the code is still good"


async def test_a_refresh_rotates_and_keeps_the_person(person: Caller, signing: DemoUpstream) -> None:
    first = await person.iflow_sign_in()
    second = (await person.iflow_refresh(first["refresh_token"])).json
    assert second["refresh_token"] != first["refresh_token"]
    assert signing.app.oauth.iflow.tokens.person_of(second["access_token"]) == "ada"
    assert signing.app.oauth.calls == {"code": 1, "refresh": 1}


async def test_a_server_that_does_not_rotate_sends_no_refresh_token(person: Caller, signing: DemoUpstream) -> None:
    signing.app.oauth.rules.rotates = False
    told = await person.iflow_sign_in()
    assert "refresh_token" not in (await person.iflow_refresh(told["refresh_token"])).json


async def test_a_dead_refresh_token_gets_the_overload_or_a_plain_word(person: Caller, signing: DemoUpstream) -> None:
    rules = signing.app.oauth.rules
    rules.reuse_window_s = 0
    told = await person.iflow_sign_in()
    await person.iflow_refresh(told["refresh_token"])

    vague = await person.iflow_refresh(told["refresh_token"])
    rules.says_invalid_grant = True
    plain = await person.iflow_refresh(told["refresh_token"])

    assert (vague.status, vague.json["success"], vague.json["code"]) == (200, False, "500")
    assert (plain.status, plain.json["error"]) == (400, "invalid_grant")


async def test_a_refresh_without_the_secret_is_refused(person: Caller) -> None:
    told = await person.iflow_sign_in()
    assert (await person.iflow_refresh(told["refresh_token"], client_secret=None)).status == 400
    assert (await person.iflow_refresh(told["refresh_token"], client_secret=IFLOW_SECRET[:-1])).status == 401


# --- userinfo ---


async def test_the_profile_has_a_key_that_the_api_takes(person: Caller) -> None:
    told = await person.iflow_sign_in()
    body = (await person.userinfo(told["access_token"])).json
    assert body["success"] is True
    assert set(body["data"]) == {"apiKey", "userId", "userName", "avatar", "email", "phone"}
    assert body["data"]["email"] == "ada@demo.example"
    assert await models_status(person, body["data"]["apiKey"]) == (200, "")


async def test_the_same_person_has_the_same_key_and_another_has_another(person: Caller) -> None:
    told = [(await person.iflow_sign_in(name))["access_token"] for name in ("ada", "ada", "bob")]
    profiles = [(await person.userinfo(token)).json["data"] for token in told]
    assert profiles[0] == profiles[1]
    assert profiles[0]["apiKey"] != profiles[2]["apiKey"]
    assert profiles[0]["userId"] != profiles[2]["userId"]


async def test_a_refresh_renews_the_key_when_told_so_and_the_old_one_has_expired(
    person: Caller, signing: DemoUpstream
) -> None:
    told = await person.iflow_sign_in()
    old = (await person.userinfo(told["access_token"])).json["data"]["apiKey"]
    signing.app.oauth.rules.renews_keys = True

    told = (await person.iflow_refresh(told["refresh_token"])).json
    new = (await person.userinfo(told["access_token"])).json["data"]["apiKey"]

    assert await models_status(person, old) == (200, "439")
    assert await models_status(person, new) == (200, "")


async def test_an_access_token_that_has_ended_is_a_401(person: Caller, clock: FakeClock) -> None:
    told = await person.iflow_sign_in()
    clock.advance(told["expires_in"])
    answer = await person.userinfo(told["access_token"])
    assert (answer.status, answer.json["success"]) == (401, False)
    assert (await person.userinfo("")).status == 401


async def test_the_profile_takes_the_token_in_the_query_and_nowhere_else(person: Caller) -> None:
    token = (await person.iflow_sign_in())["access_token"]
    assert (await person.userinfo(token, headers={"Authorization": f"Bearer {token}"})).status == 400
    assert (await person.send("GET", f"/api/oauth/getUserInfo?access_token={token}")).status == 400


async def test_the_profile_can_fail_and_recover_and_lack_its_key(person: Caller, signing: DemoUpstream) -> None:
    token = (await person.iflow_sign_in())["access_token"]
    for wish in ("userinfo:http_503@2", "empty_api_key", "no_api_key", "userinfo:http_401", "userinfo_refused"):
        signing.app.oauth.faults.append(wish)

    answers = [await person.userinfo(token) for _ in range(7)]

    assert [answer.status for answer in answers] == [503, 503, 200, 200, 401, 200, 200]
    assert answers[2].json["data"]["apiKey"] == ""
    assert "apiKey" not in answers[3].json["data"]
    assert answers[5].json["success"] is False
    assert answers[6].json["data"]["apiKey"]
    assert signing.app.oauth.calls["userinfo"] == 7
