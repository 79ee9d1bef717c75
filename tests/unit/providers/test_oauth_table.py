from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.oauth_table import overlaid, paced, sign_in
from iflow_cli_proxy.providers.signin import Method, OAuthClient, RefreshPolicy, SignIn

FULL: dict[str, Any] = {
    "authorize_url": "https://id.example.com/authorize",
    "token_url": "https://id.example.com/token",
    "client_id": "c1",
}
BUILT_IN = OAuthClient(
    provider="own",
    token_url="https://own.example/token",
    client_id="ours",
    client_secret=Secret("our-secret"),
    authorize_url="https://own.example/authorize",
    scope="read",
    redirect_host="localhost",
    redirect_port=11451,
    redirect_path="/back",
    paste_redirect="https://own.example/code",
)


def made(environ: dict[str, str] | None = None, **table: Any) -> SignIn:
    return sign_in("desk", ProviderSettings(oauth=OAuthSettings(**table)), environ or {})


def client(environ: dict[str, str] | None = None, **table: Any) -> OAuthClient:
    found = made(environ, **{**FULL, **table}).client
    assert found is not None
    return found


def over(**table: Any) -> OAuthClient:
    return overlaid(BUILT_IN, OAuthSettings(**table), {})


def test_without_a_table_there_are_only_api_keys() -> None:
    assert made() == SignIn(provider="desk")
    assert made().methods == (Method.API_KEY,)


def test_a_table_is_a_client_without_any_code() -> None:
    found = made(
        **FULL, device_url="https://id.example.com/device", scope=" a b ", redirect_port=9, redirect_path="/cb"
    )
    assert found.client == OAuthClient(
        provider="desk",
        token_url="https://id.example.com/token",
        client_id="c1",
        authorize_url="https://id.example.com/authorize",
        device_url="https://id.example.com/device",
        scope="a b",
        redirect_port=9,
        redirect_path="/cb",
    )
    assert found.methods == (Method.BROWSER, Method.DEVICE, Method.PASTE, Method.API_KEY)
    assert found.policy == RefreshPolicy()


def test_a_device_code_alone_is_a_sign_in() -> None:
    found = made(token_url="https://x.example/t", client_id="c", device_url="https://x.example/d")
    assert found.methods == (Method.DEVICE, Method.API_KEY)


@pytest.mark.parametrize(
    ("table", "leaf"),
    [
        ({"client_id": "c"}, "token_url"),
        ({"refresh_ahead_s": 60.0}, "token_url"),
        ({"pkce": False}, "token_url"),
        ({"token_url": "https://x.example/t"}, "client_id"),
        ({"token_url": "https://x.example/t", "client_id": "c"}, "authorize_url"),
        ({**FULL, "userinfo_url": "https://x.example/u"}, "userinfo_url"),
        ({**FULL, "token_url": "http://x.example/t"}, "token_url"),
        ({**FULL, "authorize_url": "http://x.example/a"}, "authorize_url"),
        ({**FULL, "authorize_url": "https://x.example/a#b"}, "authorize_url"),
        ({**FULL, "device_url": "ftp://x.example/d"}, "device_url"),
        ({**FULL, "redirect_host": "example.com"}, "redirect_host"),
        ({**FULL, "redirect_host": "0.0.0.0"}, "redirect_host"),
        ({**FULL, "redirect_path": "callback"}, "redirect_path"),
        ({**FULL, "redirect_path": "/cb?x=1"}, "redirect_path"),
        ({**FULL, "redirect_path": "/cb#x"}, "redirect_path"),
        ({**FULL, "redirect_path": "//evil.example"}, "redirect_path"),
        ({**FULL, "redirect_path": "/a b"}, "redirect_path"),
        ({**FULL, "redirect_path": "/" + "a" * 10_000}, "redirect_path"),
        ({**FULL, "client_secret_env": "UNSET"}, "client_secret_env"),
    ],
)
def test_a_table_that_cannot_be_used_names_its_leaf(table: dict[str, Any], leaf: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**table)
    assert caught.value.param == f"providers.desk.oauth.{leaf}"
    assert caught.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.4.5.6", "localhost", "[::1]"])
def test_http_is_taken_on_this_machine(host: str) -> None:
    assert client(token_url=f"http://{host}:9801/t").token_url == f"http://{host}:9801/t"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_redirect_stays_on_this_machine(host: str) -> None:
    assert client(redirect_host=host, redirect_path="/").redirect_host == host


def test_a_secret_may_stand_in_the_environment() -> None:
    assert client({"S": " word \n"}, client_secret_env="S").client_secret == Secret("word")
    assert client({"S": "word"}, client_secret_env="S", client_secret=Secret("own")).client_secret == Secret("own")
    assert client().client_secret == Secret()


def test_pkce_is_sent_unless_the_table_forbids_it() -> None:
    assert client().uses_pkce
    assert not client(pkce=False).uses_pkce


def test_an_empty_table_changes_nothing() -> None:
    assert over() == BUILT_IN


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("token_url", "https://x.example/t"),
        ("device_url", "https://x.example/d"),
        ("client_secret", Secret("s")),
        ("scope", "write"),
        ("redirect_host", "127.0.0.1"),
        ("redirect_port", 9),
        ("redirect_path", "/other"),
    ],
)
def test_a_leaf_replaces_its_own_value_only(leaf: str, value: Any) -> None:
    assert over(**{leaf: value}) == replace(BUILT_IN, **{leaf: value})


def test_the_pages_of_a_replaced_server_are_not_opened() -> None:
    found = over(authorize_url="https://x.example/a")
    assert found.authorize_url == "https://x.example/a"
    assert found.paste_redirect == ""


def test_a_built_in_secret_belongs_to_the_built_in_id() -> None:
    assert over(client_id="theirs").client_secret == Secret()
    assert over(client_id="ours").client_secret == Secret("our-secret")


def test_pkce_is_not_forced_on_a_server_that_knows_none() -> None:
    assert not overlaid(replace(BUILT_IN, uses_pkce=False), OAuthSettings(pkce=True), {}).uses_pkce


def test_a_wish_for_when_to_refresh_is_obeyed() -> None:
    policy = RefreshPolicy(ahead_s=900.0, jitter_s=300.0, hard_ahead_s=60.0)
    assert paced(policy, OAuthSettings()) == policy
    assert paced(policy, OAuthSettings(refresh_ahead_s=7200.0)) == replace(policy, ahead_s=7200.0)
    assert paced(policy, OAuthSettings(refresh_ahead_s=40.0)) == replace(
        policy, ahead_s=40.0, jitter_s=10.0, hard_ahead_s=40.0
    )
    assert made(**FULL, refresh_ahead_s=7200.0).policy.ahead_s == 7200.0
