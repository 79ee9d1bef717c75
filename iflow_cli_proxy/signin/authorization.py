"""The authorization code flow (RFC 6749, section 4.1, with RFC 7636): the page to open, and the code made into tokens.

Knows the secrets that tie one answer to one question: state and verifier, drawn for each flow and used once. Refuses to
know how the code comes back (`loopback.py`, `pasted.py`).
"""

from __future__ import annotations

import asyncio
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import ConfigError, LoginRequired, Unreachable
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.providers import oauth, pkce
from iflow_cli_proxy.providers.safe_url import is_safe
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient, SignIn
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.signin.signed_in import SignedIn, Sleep, complete
from iflow_cli_proxy.transport.base import Transport, UpstreamRequest

_STATE_BYTES: Final = 32
_PAUSES_S: Final = (1.0, 2.0)
_FIRST_FREE_PORT: Final = 49_152
"""Of the dynamic ports (RFC 6335): no service is at home there."""


class CodeFlow:
    """One sign-in; make another one to try again.

    Raises:
        ConfigError: this provider has no authorize page.
    """

    def __init__(
        self, sign_in: SignIn, transport: Transport, *, clock: Clock, entropy: Entropy, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._sign_in = sign_in
        self._client = _client_of(sign_in)
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._verifier = pkce.new_verifier(entropy) if self._client.uses_pkce else ""
        self._is_redeemed = False
        self.state = entropy(_STATE_BYTES).hex()

    @property
    def client(self) -> OAuthClient:
        """Who we are there."""
        return self._client

    def url(self, redirect_uri: str) -> str:
        """The page for the person's browser."""
        challenge = pkce.challenge(self._verifier) if self._verifier else ""
        return oauth.authorize_url(self._client, redirect_uri=redirect_uri, state=self.state, challenge=challenge)

    async def finish(self, code: str, redirect_uri: str) -> SignedIn:
        """Redeem the code, once; `redirect_uri` is the one that `url` was given.

        Raises:
            LoginRequired: the server does not take it, or it was redeemed before.
            GatewayError: the server cannot be reached or makes no sense; the code may be spent, so start again.
        """
        if self._is_redeemed:
            raise LoginRequired("This sign-in has used its code already.", hint=_again(self._sign_in))
        self._is_redeemed = True
        request = oauth.code_request(self._client, code=code, redirect_uri=redirect_uri, verifier=self._verifier)
        answer = await self._send(request)
        tokens = oauth.read_tokens(self._client, answer, now=self._clock.now())
        return await complete(self._sign_in, self._transport, tokens, sleep=self._sleep)

    async def _send(self, request: UpstreamRequest) -> OAuthAnswer:
        """Tried again only while nothing has been sent: a code counts once."""
        for pause_s in _PAUSES_S:
            try:
                return await call(self._transport, request, provider=self._sign_in.provider)
            except Unreachable:
                await self._sleep(pause_s)
        return await call(self._transport, request, provider=self._sign_in.provider)


def checked_page(url: str, provider: str) -> str:
    """The address of a page that may be shown and opened. Raises ConfigError for any other (I54)."""
    if is_safe(url):
        return url
    raise ConfigError(
        f"The sign-in page of {provider} is not one to open: it is neither https nor on this machine.",
        param=f"providers.{provider}.oauth",
        hint="iflow2api config show --origins",
    )


def redirect_to_paste(client: OAuthClient, entropy: Entropy) -> str:
    """Where an authorize page sends a browser that cannot come back here: a page of the provider that shows the code,
    or an address nobody listens at, which stays in the address bar."""
    if client.paste_redirect:
        return client.paste_redirect
    span = 65_536 - _FIRST_FREE_PORT
    port = client.redirect_port or _FIRST_FREE_PORT + int.from_bytes(entropy(4), "big") % span
    return f"http://{client.redirect_host}:{port}{client.redirect_path}"


def _client_of(sign_in: SignIn) -> OAuthClient:
    if sign_in.client is None or not sign_in.client.authorize_url:
        raise ConfigError(
            f"{sign_in.provider} has no page to sign in on.",
            hint=f"use a key: `iflow2api login {sign_in.provider} --api-key`",
        )
    return sign_in.client


def _again(sign_in: SignIn) -> str:
    return f"`iflow2api login {sign_in.provider}` starts again"
