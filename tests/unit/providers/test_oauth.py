from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import oauth
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient
from iflow_cli_proxy.transport.base import UpstreamRequest

CLIENT = OAuthClient(
    provider="desk",
    token_url="https://id.example.com/token",
    authorize_url="https://id.example.com/authorize",
    device_url="https://id.example.com/device/code",
    client_id="my client",
    scope="openid offline_access",
)
CONFIDENTIAL = replace(CLIENT, client_secret=Secret("s&cret+word"), sends_basic=True)
QWEN_LIKE = replace(CLIENT, client_id="c1", names_requests=True)


def form(request: UpstreamRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), strict_parsing=True)


def test_an_authorize_address_carries_what_rfc_6749_and_7636_ask_for() -> None:
    url = oauth.authorize_url(CLIENT, redirect_uri="http://127.0.0.1:9/cb", state="s 1", challenge="c-h")
    assert url == (
        "https://id.example.com/authorize?response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=s%201"
        "&client_id=my%20client&scope=openid%20offline_access&code_challenge=c-h&code_challenge_method=S256"
    )


def test_a_challenge_is_left_out_where_the_server_knows_none() -> None:
    url = oauth.authorize_url(replace(CLIENT, uses_pkce=False), redirect_uri="http://x", state="s", challenge="c")
    assert "challenge" not in url


def test_an_authorize_page_keeps_the_query_it_has() -> None:
    client = replace(CLIENT, authorize_url="https://id.example.com/authorize?prompt=consent", scope="")
    assert oauth.authorize_url(client, redirect_uri="r", state="s").startswith(
        "https://id.example.com/authorize?prompt=consent&response_type=code&"
    )


def test_a_code_is_exchanged_with_the_redirect_address_as_it_was() -> None:
    request = oauth.code_request(CLIENT, code="c/1", redirect_uri="http://127.0.0.1:9/cb", verifier="v")
    assert (request.method, request.url) == ("POST", "https://id.example.com/token")
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    assert form(request) == [
        ("grant_type", "authorization_code"),
        ("code", "c/1"),
        ("redirect_uri", "http://127.0.0.1:9/cb"),
        ("client_id", "my client"),
        ("code_verifier", "v"),
    ]


def test_a_secret_goes_out_in_the_form_and_encoded_in_the_header_where_that_is_wanted() -> None:
    request = oauth.refresh_request(CONFIDENTIAL, refresh_token=Secret("rt"))
    assert form(request) == [
        ("grant_type", "refresh_token"),
        ("refresh_token", "rt"),
        ("client_id", "my client"),
        ("client_secret", "s&cret+word"),
    ]
    assert b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"my+client:s%26cret%2Bword"
    plain = oauth.refresh_request(replace(CONFIDENTIAL, sends_basic=False), refresh_token=Secret("rt"))
    assert "Authorization" not in plain.headers


def test_a_device_code_is_asked_for_and_polled_as_rfc_8628_says() -> None:
    asked = oauth.device_request(QWEN_LIKE, challenge="ch", request_id="r-1")
    assert asked.url == "https://id.example.com/device/code"
    assert list(asked.headers) == ["Content-Type", "Accept", "x-request-id"]
    assert form(asked) == [
        ("client_id", "c1"),
        ("scope", "openid offline_access"),
        ("code_challenge", "ch"),
        ("code_challenge_method", "S256"),
    ]
    polled = oauth.poll_request(QWEN_LIKE, device_code=Secret("dc"), verifier="v", request_id="r-2")
    assert polled.url == "https://id.example.com/token"
    assert polled.headers["x-request-id"] == "r-2"
    assert form(polled) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "c1"),
        ("device_code", "dc"),
        ("code_verifier", "v"),
    ]


def test_what_is_not_there_is_not_sent() -> None:
    request = oauth.device_request(replace(CLIENT, sends_basic=True, scope=""))
    assert form(request) == [("client_id", "my client")]
    assert "Authorization" not in request.headers


def test_a_request_is_named_only_for_servers_that_want_it() -> None:
    assert "x-request-id" not in oauth.device_request(CLIENT, request_id="r").headers
    assert "x-request-id" not in oauth.device_request(QWEN_LIKE).headers


def test_further_headers_of_the_client_go_with_each_call() -> None:
    request = oauth.refresh_request(replace(CLIENT, headers={"User-Agent": "x"}), refresh_token=Secret("rt"))
    assert request.headers["User-Agent"] == "x"


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://x/a", "https://x/a?t=a%2Bb%2F%3D"), ("https://x/a?b=1", "https://x/a?b=1&t=a%2Bb%2F%3D")],
)
def test_a_query_is_encoded_to_the_last_character(url: str, expected: str) -> None:
    assert oauth.with_query(url, {"t": "a+b/=", "empty": ""}) == expected
    assert oauth.with_query(url, {}) == url


def test_i45_neither_requests_nor_answers_show_what_is_in_them() -> None:
    canary = "canary-0123456789"
    shown = [
        repr(oauth.refresh_request(CONFIDENTIAL, refresh_token=Secret(canary))),
        repr(oauth.code_request(CONFIDENTIAL, code=canary, redirect_uri="r", verifier=canary)),
        repr(UpstreamRequest(url=oauth.with_query("https://x/u", {"accessToken": canary}), headers={"A": canary})),
        repr(OAuthAnswer(status=200, headers={"set-cookie": canary}, body=canary.encode())),
        repr(CONFIDENTIAL),
    ]
    assert not any(canary in text or "s&cret" in text or "s%26cret" in text for text in shown)
