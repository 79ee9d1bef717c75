"""Where a gateway is called, and with which key."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.cli.addressing import client_key, gateway_url
from iflow_cli_proxy.config.schema import AuthSettings, ServerSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:28000"),
        ("::1", "http://[::1]:28000"),
        ("[::1]", "http://[::1]:28000"),
        ("0.0.0.0", "http://127.0.0.1:28000"),
        ("::", "http://[::1]:28000"),
        ("localhost", "http://localhost:28000"),
    ],
)
def test_the_gateway_of_this_configuration_is_called_where_it_listens(host: str, url: str) -> None:
    assert gateway_url(Settings(server=ServerSettings(host=host)), "") == url


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_an_address_is_taken_with_and_without_its_path(url: str) -> None:
    assert gateway_url(Settings(), url) == "http://h:1"


def test_an_address_without_http_is_not_completed() -> None:
    with pytest.raises(ConfigError) as caught:
        gateway_url(Settings(), "127.0.0.1:1")

    assert caught.value.hint == "--url http://127.0.0.1:1"


def test_the_key_of_the_environment_counts_more_than_those_of_the_file() -> None:
    settings = Settings(auth=AuthSettings(client_keys=(Secret("sk-of-the-file"),)))

    assert client_key(settings, {"IFLOW2API_CLIENT_KEY": "sk-first, sk-second"}) == "sk-first"
    assert client_key(settings, {}) == "sk-of-the-file"
    assert client_key(Settings(), {}) == ""
