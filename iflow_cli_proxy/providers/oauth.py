"""OAuth 2.0 as plain functions: the requests of a sign-in and of a refresh, and what their answers mean.

Knows which field goes where (RFC 6749, 7636, 8628) and in which order the known servers expect it. The answers are
read next door, in `oauth_answers.py`; their names are here too, so that a flow needs one import. Refuses to know
sockets, clocks, files, and whose server it is: that is data, an `OAuthClient`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import quote, quote_plus, urlencode

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import pkce
from iflow_cli_proxy.providers.oauth_answers import read_device, read_poll, read_tokens
from iflow_cli_proxy.providers.signin import OAuthClient
from iflow_cli_proxy.transport.base import UpstreamRequest

__all__ = [
    "authorize_url",
    "code_request",
    "device_request",
    "poll_request",
    "read_device",
    "read_poll",
    "read_tokens",
    "refresh_request",
    "with_query",
]

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
FORM: Final = "application/x-www-form-urlencoded"


def authorize_url(client: OAuthClient, *, redirect_uri: str, state: str, challenge: str = "") -> str:
    """The page where a person signs in; `redirect_uri` must come back unchanged in `code_request`."""
    return with_query(
        client.authorize_url,
        {
            **client.authorize_extra,
            "response_type": "code" if client.sends_response_type else "",
            client.redirect_parameter: redirect_uri,
            "state": state,
            "client_id": client.client_id,
            "scope": client.scope,
            **_challenge(client, challenge),
        },
    )


def code_request(client: OAuthClient, *, code: str, redirect_uri: str, verifier: str = "") -> UpstreamRequest:
    """Turns the code that came back into tokens."""
    return _request(
        client,
        client.token_url,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            **_ourselves(client),
            "code_verifier": verifier if client.uses_pkce else "",
        },
    )


def device_request(client: OAuthClient, *, challenge: str = "", request_id: str = "") -> UpstreamRequest:
    """Asks for a code that a person can confirm in any browser."""
    form = {**_ourselves(client), "scope": client.scope, **_challenge(client, challenge)}
    return _request(client, client.device_url, form, request_id)


def poll_request(
    client: OAuthClient, *, device_code: Secret, verifier: str = "", request_id: str = ""
) -> UpstreamRequest:
    """Asks whether the person has confirmed by now."""
    form = {
        "grant_type": DEVICE_GRANT,
        **_ourselves(client),
        "device_code": device_code.reveal(),
        "code_verifier": verifier if client.uses_pkce else "",
    }
    return _request(client, client.token_url, form, request_id)


def refresh_request(client: OAuthClient, *, refresh_token: Secret, request_id: str = "") -> UpstreamRequest:
    """Asks for the next tokens; the server may take the refresh token back as it answers."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal(), **_ourselves(client)}
    return _request(client, client.token_url, form, request_id)


def with_query(url: str, parameters: dict[str, str]) -> str:
    """`url` with all parameters that have a value, each percent-encoded, after those it has already."""
    query = urlencode({name: value for name, value in parameters.items() if value}, quote_via=quote, safe="")
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _ourselves(client: OAuthClient) -> dict[str, str]:
    return {"client_id": client.client_id, "client_secret": client.client_secret.reveal()}


def _challenge(client: OAuthClient, challenge: str) -> dict[str, str]:
    if not client.uses_pkce or not challenge:
        return {}
    return {"code_challenge": challenge, "code_challenge_method": pkce.METHOD}


def _request(client: OAuthClient, url: str, form: dict[str, str], request_id: str = "") -> UpstreamRequest:
    """A form without its empty fields."""
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    if client.sends_basic and client.client_secret:
        headers["Authorization"] = _basic(client)
    if client.names_requests and request_id:
        headers["x-request-id"] = request_id
    body = urlencode({name: value for name, value in form.items() if value})
    return UpstreamRequest(url=url, headers={**headers, **client.headers}, body=body.encode("ascii"))


def _basic(client: OAuthClient) -> str:
    """Both parts are form-encoded before they are joined (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret.reveal())}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")
