"""Which ways of signing in follow from what a provider's OAuth server has."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.signin import Method, OAuthClient, SignIn

CODE = OAuthClient(token_url="https://id.test/token", client_id="c", authorize_url="https://id.test/authorize")
DEVICE = OAuthClient(token_url="https://id.test/token", client_id="c", device_url="https://id.test/device")


@pytest.mark.parametrize(
    ("client", "methods"),
    [
        (None, [Method.API_KEY]),
        (CODE, [Method.BROWSER, Method.PASTE, Method.API_KEY]),
        (DEVICE, [Method.DEVICE, Method.API_KEY]),
    ],
)
def test_the_methods_are_those_the_server_has_an_address_for(client: OAuthClient | None, methods: list[Method]) -> None:
    assert SignIn(provider="p", client=client).methods == tuple(methods)


def test_a_service_without_api_keys_offers_none() -> None:
    assert SignIn(provider="p", client=DEVICE, takes_api_key=False).methods == (Method.DEVICE,)


def test_the_clients_secret_does_not_show() -> None:
    client = OAuthClient(token_url="https://id.test/token", client_id="c", client_secret=Secret("0123456789abcdef"))
    assert "0123456789" not in repr(client)
