from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import oauth
from iflow_cli_proxy.providers.qwen.oauth import sign_in
from iflow_cli_proxy.providers.qwen.sunset import ENDED_AT
from iflow_cli_proxy.providers.signin import Method, OAuthAnswer, OAuthClient, SignIn


def made(
    settings: ProviderSettings | None = None, environ: dict[str, str] | None = None, *, now: float = ENDED_AT + 1
) -> SignIn:
    return sign_in("qwen", settings or ProviderSettings(), environ or {}, now=now)


def client(settings: ProviderSettings | None = None, environ: dict[str, str] | None = None) -> OAuthClient:
    found = made(settings, environ).client
    assert found is not None
    return found


def answer(**fields: object) -> OAuthAnswer:
    return OAuthAnswer(status=200, headers={"content-type": "application/json"}, body=jsonx.encode(fields))


def test_people_sign_in_with_a_device_code_or_a_key() -> None:
    assert made().methods == (Method.DEVICE, Method.API_KEY)


def test_a_device_code_is_asked_for_as_the_vendors_client_does() -> None:
    request = oauth.device_request(client(), challenge="ch-1", request_id="r-1")
    form = parse_qs(request.body.decode())
    assert request.url == "https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert form == {
        "client_id": ["f0304373b74a44d2b584a3fb70ca9e56"],
        "scope": ["openid profile email model.completion"],
        "code_challenge": ["ch-1"],
        "code_challenge_method": ["S256"],
    }
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-request-id"] == "r-1"
    assert headers["accept"] == "application/json"


def test_a_poll_shows_the_verifier_and_a_refresh_has_no_secret() -> None:
    poll = oauth.poll_request(client(), device_code=Secret("dc-1"), verifier="v-1", request_id="r-1")
    refresh = oauth.refresh_request(client(), refresh_token=Secret("rt-1"), request_id="r-1")
    assert poll.url == refresh.url == "https://chat.qwen.ai/api/v1/oauth2/token"
    assert parse_qs(poll.body.decode())["code_verifier"] == ["v-1"]
    assert set(parse_qs(refresh.body.decode())) == {"grant_type", "refresh_token", "client_id"}


@pytest.mark.parametrize("field", ["resource_url", "endpoint"])
def test_the_answer_says_where_the_api_is(field: str) -> None:
    tokens = oauth.read_tokens(
        client(), answer(access_token="at", expires_in=21600, **{field: "portal.qwen.ai"}), now=0
    )
    assert tokens.base_url == "https://portal.qwen.ai/v1"
    assert tokens.expires_at == 21600


def test_an_answer_cannot_send_the_token_to_a_stranger() -> None:
    elsewhere = answer(access_token="at", resource_url="http://127.0.0.1:9801")
    assert oauth.read_tokens(client(), elsewhere, now=0).base_url == ""
    named = client(ProviderSettings(base_url="http://127.0.0.1:9801/v1"))
    assert oauth.read_tokens(named, elsewhere, now=0).base_url == "http://127.0.0.1:9801/v1"


def test_a_refresh_comes_a_quarter_of_an_hour_ahead_and_at_the_latest_thirty_seconds() -> None:
    policy = made().policy
    assert (policy.ahead_s, policy.jitter_s, policy.hard_ahead_s) == (900, 300, 30)


def test_the_environment_moves_the_endpoints_and_the_table_wins_over_it() -> None:
    environ = {
        "QWEN_BASE_URL": "https://id.example.com/",
        "QWEN_TOKEN_ENDPOINT": "https://tokens.example.com/token",
        "QWEN_CLIENT_ID": "env-client",
        "QWEN_SCOPE": "openid",
    }
    moved = client(environ=environ)
    assert moved.device_url == "https://id.example.com/api/v1/oauth2/device/code"
    assert (moved.token_url, moved.client_id, moved.scope) == (
        "https://tokens.example.com/token",
        "env-client",
        "openid",
    )
    table = ProviderSettings(oauth=OAuthSettings(token_url="http://127.0.0.1:9/token", refresh_ahead_s=60))
    assert client(table, environ).token_url == "http://127.0.0.1:9/token"
    assert client(table, environ).device_url == moved.device_url
    assert made(table).policy.ahead_s == 60
    direct = {**environ, "QWEN_DEVICE_CODE_ENDPOINT": "http://127.0.0.1:9/device"}
    assert client(environ=direct).device_url == "http://127.0.0.1:9/device"


@pytest.mark.parametrize("variable", ["QWEN_BASE_URL", "QWEN_TOKEN_ENDPOINT", "QWEN_DEVICE_CODE_ENDPOINT"])
@pytest.mark.parametrize("url", ["http://id.example.com", "id.example.com", "https://u:p@id.example.com", "file:///x"])
def test_i54_an_endpoint_that_others_could_read_along_is_refused_by_name(variable: str, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(environ={variable: url})
    assert caught.value.param == variable


def test_the_end_of_the_free_tier_is_told_beforehand_and_only_of_the_vendor() -> None:
    assert "2026-04-15" in made().notice
    assert made(now=ENDED_AT - 1).notice == ""
    elsewhere = ProviderSettings(oauth=OAuthSettings(token_url="http://127.0.0.1:9/token"))
    assert made(elsewhere).notice == ""
    assert made().key_page.startswith("https://")
