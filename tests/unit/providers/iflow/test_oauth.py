from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl

import pytest

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, LoginRequired, Malformed, Overloaded, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers import oauth
from iflow_cli_proxy.providers.iflow.oauth import sign_in
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from iflow_cli_proxy.providers.signin import Method, OAuthAnswer, OAuthClient, Profile, Profiles, SignIn

SECRET = "4Z3YjXycVsQvyGF1etiNlIBB4RsqSDtW"
REDIRECT = "http://localhost:11451/oauth2callback"
TOKENS = Tokens(access_token=Secret("at/01+2="))
TOLD = {"apiKey": "sk-0123", "userId": "1000001", "userName": "user_1", "avatar": "", "email": "", "phone": ""}
BUSY = {"success": False, "code": "500", "message": "当前找我聊的人太多了，可以晚点再来问我哦。", "data": None}  # noqa: RUF001


def made(now: float = 0.0, **table: Any) -> SignIn:
    return sign_in("iflow", ProviderSettings(oauth=OAuthSettings(**table)), {}, now=now)


def client(**table: Any) -> OAuthClient:
    found = made(**table).client
    assert found is not None
    return found


def profiles(**table: Any) -> Profiles:
    found = made(**table).profiles
    assert found is not None
    return found


def profile(body: Any, status: int = 200) -> Profile:
    data = body if isinstance(body, bytes) else jsonx.encode(body)
    return profiles().read(OAuthAnswer(status=status, headers={}, body=data))


def success(**more: Any) -> dict[str, Any]:
    return {"success": True, "data": {**TOLD, **more}}


def test_the_authorize_address_is_the_vendors_to_the_letter() -> None:
    assert oauth.authorize_url(client(), redirect_uri=REDIRECT, state="ab12", challenge="ignored") == (
        "https://iflow.cn/oauth?loginMethod=phone&type=phone"
        "&redirect=http%3A%2F%2Flocalhost%3A11451%2Foauth2callback&state=ab12&client_id=10009311001"
    )


def test_id_and_secret_are_sent_twice_and_the_redirect_address_as_it_was() -> None:
    request = oauth.code_request(client(), code="c-1", redirect_uri=REDIRECT, verifier="ignored")
    assert (request.method, request.url) == ("POST", "https://iflow.cn/oauth/token")
    assert request.headers == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Authorization": "Basic MTAwMDkzMTEwMDE6NFozWWpYeWNWc1F2eUdGMWV0aU5sSUJCNFJzcVNEdFc=",
        "User-Agent": "iFlow-Cli",
    }
    assert b64decode(request.headers["Authorization"][6:]).decode() == f"10009311001:{SECRET}"
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "authorization_code"),
        ("code", "c-1"),
        ("redirect_uri", REDIRECT),
        ("client_id", "10009311001"),
        ("client_secret", SECRET),
    ]


def test_a_refresh_sends_what_the_vendors_client_sends() -> None:
    request = oauth.refresh_request(client(), refresh_token=Secret("rt-4567"))
    assert request.headers["Authorization"].startswith("Basic MTAw")
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "refresh_token"),
        ("refresh_token", "rt-4567"),
        ("client_id", "10009311001"),
        ("client_secret", SECRET),
    ]


def test_the_browser_comes_back_to_the_port_that_other_clients_use() -> None:
    found = client()
    assert (found.redirect_host, found.redirect_port, found.redirect_path) == ("localhost", 11451, "/oauth2callback")
    assert found.paste_redirect == "https://iflow.cn/oauth/code-display"
    assert made().methods == (Method.BROWSER, Method.PASTE, Method.API_KEY)


def test_the_policy_leaves_a_day_for_a_refresh_and_nobody_waits_for_it() -> None:
    policy = made().policy
    assert (policy.ahead_s, policy.jitter_s, policy.hard_ahead_s) == (86_400.0, 1_800.0, 0.0)
    assert (policy.least_interval_s, policy.backoff_s, policy.longest_backoff_s) == (300.0, 30.0, 300.0)
    assert policy.gives_up_after_s == 86_400.0
    assert made(refresh_ahead_s=3600.0).policy.ahead_s == 3600.0


def test_the_end_of_the_service_is_told_for_the_vendors_own_hosts_only() -> None:
    assert made(SUNSET_AT - 1).notice == ""
    assert "2026-04-17" in made(SUNSET_AT).notice
    assert made(SUNSET_AT).key_page
    elsewhere = made(SUNSET_AT, token_url="http://127.0.0.1:9801/oauth/token")
    assert (elsewhere.notice, elsewhere.key_page) == ("", "")


def test_a_stand_in_is_called_with_the_vendors_client() -> None:
    found = client(
        authorize_url="http://127.0.0.1:9801/oauth", token_url="http://127.0.0.1:9801/oauth/token", redirect_port=9
    )
    assert (found.client_id, found.client_secret.reveal(), found.redirect_port) == ("10009311001", SECRET, 9)
    assert found.paste_redirect == "http://127.0.0.1:9801/oauth/code-display"
    request = profiles(userinfo_url="http://127.0.0.1:9801/user?v=1").request(TOKENS)
    assert request.url == "http://127.0.0.1:9801/user?v=1&accessToken=at%2F01%2B2%3D"


@pytest.mark.parametrize("leaf", ["authorize_url", "token_url", "userinfo_url"])
def test_a_stand_in_over_plain_http_elsewhere_is_refused(leaf: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**{leaf: "http://iflow.example/x"})
    assert caught.value.param == f"providers.iflow.oauth.{leaf}"


def test_the_key_is_asked_for_with_the_token_in_the_address() -> None:
    request = profiles().request(TOKENS)
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == "https://iflow.cn/api/oauth/getUserInfo?accessToken=at%2F01%2B2%3D"
    assert request.headers == {"Accept": "application/json", "User-Agent": "iFlow-Cli"}


def test_i45_the_token_in_the_address_is_not_in_what_is_printed() -> None:
    request = profiles().request(Tokens(access_token=Secret("canary-0123456789")))
    assert "canary" in request.url
    assert "canary" not in f"{request!r} {request}"
    assert SECRET not in repr(made())


@pytest.mark.parametrize(
    ("more", "label"),
    [
        ({"email": "a@b.example", "phone": "138****0000"}, "a@b.example"),
        ({"phone": "138****0000"}, "138****0000"),
        ({}, "user_1"),
        ({"userName": None, "username": "u2"}, "u2"),
        ({"userName": "", "nickname": "张三"}, "张三"),
        ({"userName": " "}, "1000001"),
        ({"userName": None, "userId": 77}, "77"),
        ({"userName": "\x1b[31mred\x1b[0m\nline"}, "red line"),
        ({"userName": "x" * 5000}, "x" * 100),
        ({"userName": ["x"], "userId": None}, ""),
    ],
)
def test_an_account_is_called_after_the_best_name_there_is(more: dict[str, Any], label: str) -> None:
    assert profile(success(**more)).label == label


def test_the_key_is_the_api_key_and_never_the_access_token() -> None:
    assert profile(success()) == Profile(api_key=Secret("sk-0123"), label="user_1", user_id="1000001")
    assert profile(success(apiKey=" sk-x\n")).api_key == Secret("sk-x")


@pytest.mark.parametrize("key", [None, "", "  ", 3, "sk x", "sk-\x00"])
def test_an_empty_key_is_refused(key: Any) -> None:
    with pytest.raises(Malformed, match="has no API key"):
        profile(success(apiKey=key))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, LoginRequired),
        (401, b"", LoginRequired),
        (200, {"success": False, "code": "401", "message": "token"}, LoginRequired),
        (400, {"error": "invalid_token"}, LoginRequired),
        (200, BUSY, Overloaded),
        (200, {"success": False, "code": "503", "message": ""}, Overloaded),
        (500, b"", Overloaded),
        (408, b"", Overloaded),
        (429, b"", RateLimited),
        (200, {"success": False, "message": "odd"}, Malformed),
        (200, {"success": True, "data": None}, Malformed),
        (200, {"success": True, "data": [1]}, Malformed),
        (200, {**success(), "success": False}, Malformed),
        (200, b"<html></html>", Malformed),
        (404, b"<html></html>", Malformed),
        (200, b" " * 2_000_000, Malformed),
    ],
)
def test_a_failure_to_get_the_key_says_whether_it_may_pass(status: int, body: Any, kind: type[GatewayError]) -> None:
    with pytest.raises(kind) as caught:
        profile(body, status)
    assert type(caught.value) is kind


REFRESHES = [
    (200, BUSY, Overloaded),
    (200, {"success": False, "code": "503", "message": "x"}, Overloaded),
    (502, b"<html></html>", Overloaded),
    (503, b"", Overloaded),
    (400, {"error": "invalid_grant"}, LoginRequired),
    (401, {"message": "invalid_token"}, LoginRequired),
    (200, {"success": False, "code": "429", "message": "x"}, RateLimited),
    (200, {"success": False, "code": "1", "message": "rate limit"}, RateLimited),
    (200, {}, Malformed),
    (200, b"<html></html>", Malformed),
    (200, b"OK", Malformed),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFRESHES)
def test_a_refresh_that_fails_says_whether_it_may_pass(status: int, body: Any, kind: type[GatewayError]) -> None:
    data = body if isinstance(body, bytes) else jsonx.encode(body)
    with pytest.raises(kind) as caught:
        oauth.read_tokens(client(), OAuthAnswer(status=status, headers={}, body=data), now=0.0, old=TOKENS)
    assert type(caught.value) is kind
    if kind is RateLimited:
        assert caught.value.retry_after_s == 300.0
