from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.base import TransportOptions
from iflow_cli_proxy.transport.proxy import Proxy, ProxyChoice


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def choose(url: str, **options: object) -> Proxy | None:
    return ProxyChoice(TransportOptions(**options))(url)  # type: ignore[arg-type]


def test_without_a_setting_there_is_no_proxy() -> None:
    assert choose("https://a.example/") is None


def test_a_configured_proxy_wins_over_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://other:1")
    environment.setenv("NO_PROXY", "*")
    chosen = choose("https://a.example/", proxy="http://mine:2", trust_env=True)
    assert chosen == Proxy("http://mine:2", "upstream.proxy")


def test_the_environment_counts_only_when_trusted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://p:1")
    assert choose("https://a.example/") is None
    assert choose("https://a.example/", trust_env=True) == Proxy("http://p:1", "HTTPS_PROXY")
    assert choose("http://a.example/", trust_env=True) is None


def test_all_proxy_serves_where_no_other_does(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", "socks5h://p")
    environment.setenv("http_proxy", "plain:3128")
    assert choose("https://a.example/", trust_env=True) == Proxy("socks5h://p:1080", "ALL_PROXY")
    assert choose("http://a.example/", trust_env=True) == Proxy("http://plain:3128", "HTTP_PROXY")


@pytest.mark.parametrize("no_proxy", ["a.example", ".example", "a.example:8443", "*"])
def test_no_proxy_is_honoured(environment: pytest.MonkeyPatch, no_proxy: str) -> None:
    environment.setenv("ALL_PROXY", "http://p:1")
    environment.setenv("NO_PROXY", no_proxy)
    assert choose("https://a.example:8443/v1", trust_env=True) is None


@pytest.mark.parametrize(
    "url", ["ftp://me:hunter2@host:1", "http://", "http://me:hunter2@host:notaport", "socks4://h:1"]
)
def test_an_unusable_proxy_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose("https://a.example/", proxy=url)
    assert caught.value.param == "upstream.proxy"
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint} {caught.value.detail}"


def test_a_proxy_never_shows_its_password() -> None:
    assert "hunter2" not in repr(choose("https://a.example/", proxy="socks5://me:hunter2@host:1"))
