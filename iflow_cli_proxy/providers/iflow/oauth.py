"""Signing in at iFlow: the vendor's client as data, and the API key that an access token is exchanged for.

Knows what the vendor's own command line sends (client id and secret are public, built into it), that its authorize
page has words of its own, and that the key outlives the token. Refuses to know flows, files and sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.cleaning import plain_text
from iflow_cli_proxy.providers.iflow import sunset
from iflow_cli_proxy.providers.iflow.headers import USER_AGENT
from iflow_cli_proxy.providers.iflow.provider import is_vendors
from iflow_cli_proxy.providers.oauth import with_query
from iflow_cli_proxy.providers.oauth_answers import usable_token
from iflow_cli_proxy.providers.oauth_refusal import is_good, object_in, refusal
from iflow_cli_proxy.providers.oauth_table import overlaid, paced
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient, Profile, RefreshPolicy, SignIn
from iflow_cli_proxy.transport.base import UpstreamRequest

USERINFO_URL: Final = "https://iflow.cn/api/oauth/getUserInfo"

_CLIENT: Final = OAuthClient(
    token_url="https://iflow.cn/oauth/token",
    client_id="10009311001",
    client_secret=Secret("4Z3YjXycVsQvyGF1etiNlIBB4RsqSDtW"),
    sends_basic=True,
    authorize_url="https://iflow.cn/oauth",
    authorize_extra={"loginMethod": "phone", "type": "phone"},
    redirect_parameter="redirect",
    sends_response_type=False,
    redirect_host="localhost",
    redirect_port=11451,
    redirect_path="/oauth2callback",
    uses_pkce=False,
    headers={"User-Agent": USER_AGENT},
)
_CODE_DISPLAY: Final = "/code-display"
"""Below the authorize page: shows the code to whoever has no browser on this machine."""
_KEY_PAGE: Final = "https://iflow.cn/?open=setting"
_POLICY: Final = RefreshPolicy(
    ahead_s=86_400.0,
    jitter_s=1_800.0,
    hard_ahead_s=0.0,
    least_interval_s=300.0,
    backoff_s=30.0,
    longest_backoff_s=300.0,
    gives_up_after_s=86_400.0,
)
"""The token lives for about two days and the key for seven: there is a day to renew both, and nobody has to wait."""
_NAMES: Final = ("email", "phone", "userName", "username", "nickname", "userId")
"""What an account can be called after, best first."""
_LONGEST_NAME: Final = 100
_NO_CLOCK: Final = 0.0
"""A wish to wait until a date counts from the answer's own Date; without one it is cut to its longest."""


def sign_in(name: str, settings: ProviderSettings, environ: Mapping[str, str], *, now: float) -> SignIn:
    """How people sign in at iFlow, or at whatever stands in for it in `[providers.NAME.oauth]`.

    Raises:
        ConfigError: a setting of that table cannot be used.
    """
    client = overlaid(replace(_CLIENT, provider=name), settings.oauth, environ)
    client = replace(client, paste_redirect=f"{client.authorize_url.rstrip('/')}{_CODE_DISPLAY}")
    is_at_vendor = is_vendors(client.token_url)
    return SignIn(
        provider=name,
        client=client,
        profiles=IflowProfiles(client, settings.oauth.userinfo_url or USERINFO_URL),
        policy=paced(_POLICY, settings.oauth),
        notice=sunset.hint(now) if is_at_vendor else "",
        key_page=_KEY_PAGE if is_at_vendor else "",
    )


class IflowProfiles:
    """Where the access token becomes the key that the API takes (the `Profiles` port)."""

    def __init__(self, client: OAuthClient, url: str) -> None:
        self._client = client
        self._url = url

    def request(self, tokens: Tokens) -> UpstreamRequest:
        """The token stands in the address itself: it must not be logged, nor sent with a Referer."""
        url = with_query(self._url, {"accessToken": tokens.access_token.reveal()})
        return UpstreamRequest(url=url, headers={"Accept": "application/json", **self._client.headers}, method="GET")

    def read(self, answer: OAuthAnswer) -> Profile:
        """The key and who it belongs to; the errors are those of `oauth.read_tokens`."""
        body = object_in(answer)
        data = body.get("data") if body is not None and is_good(answer, body) else None
        told: Mapping[str, Any] = data if isinstance(data, dict) else {}
        key = usable_token(told.get("apiKey"))
        if not key:
            raise refusal(self._client, answer, body, lacks="API key", now=_NO_CLOCK, is_signed_in=True)
        names = [text for field in _NAMES if (text := _text(told.get(field)))]
        return Profile(api_key=Secret(key), label=names[0] if names else "", user_id=_text(told.get("userId")))


def _text(value: Any) -> str:
    """A name or a number on one line, fit to be printed."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return " ".join(plain_text(value[:1000]).split())[:_LONGEST_NAME] if isinstance(value, str) else ""
