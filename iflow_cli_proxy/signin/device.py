"""The device code flow (RFC 8628): a code for a person with any browser, and patience until it is confirmed.

Knows how often to ask, what slows that down and when it is over. Refuses to know terminals: `seconds_left` and
`next_poll_in_s` are for whoever draws the countdown. Time is the monotonic clock: a corrected clock ends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import (
    ConfigError,
    GatewayError,
    LoginRequired,
    Overloaded,
    RateLimited,
    TlsFailed,
    UpstreamError,
)
from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers import oauth, pkce
from iflow_cli_proxy.providers.oauth_answers import LONGEST_INTERVAL_S
from iflow_cli_proxy.providers.signin import DeviceGrant, OAuthAnswer, OAuthClient, SignIn, Waiting
from iflow_cli_proxy.signin.calling import LIMIT_S, call
from iflow_cli_proxy.signin.signed_in import SignedIn, Sleep, complete
from iflow_cli_proxy.transport.base import Transport, UpstreamRequest

_SLOWER_S: Final = 5.0
_SHORTEST_INTERVAL_S: Final = 1.0
_RATE_REST_S: Final = 10.0
_RATE_RESTS: Final = 3
_LEAST_LIMIT_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.2
EXPIRED: Final = "expired_token"


class GivenUp(Exception):
    """Whoever waited for a sign-in does so no longer; the code is good as long as it was."""


class DeviceFlow:
    """One sign-in: `begin` and `wait`, or `resume` and `wait` where nothing was kept between the two.

    Raises:
        ConfigError: this provider has no device code flow.
    """

    def __init__(
        self, sign_in: SignIn, transport: Transport, *, clock: Clock, entropy: Entropy, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._sign_in = sign_in
        self._client = _client_of(sign_in)
        self._transport = transport
        self._clock = clock
        self._entropy = entropy
        self._sleep = sleep
        self._interval_s = _SHORTEST_INTERVAL_S
        self._ends_at = 0.0
        self._polls_at = 0.0
        self._rest_s = 0.0
        self._rate_rests = 0
        self._failure: GatewayError | None = None
        self.verifier = pkce.new_verifier(entropy) if self._client.uses_pkce else ""

    @property
    def seconds_left(self) -> float:
        """Until the code expires."""
        return max(0.0, self._ends_at - self._clock.monotonic())

    @property
    def next_poll_in_s(self) -> float:
        """Until the server is asked again."""
        return max(0.0, self._polls_at - self._clock.monotonic())

    @property
    def failure(self) -> GatewayError | None:
        """Why the last poll brought nothing, while such failures are waited out."""
        return self._failure

    async def begin(self) -> DeviceGrant:
        """Ask for a code; its time runs from now. Raises GatewayError when the server gives none."""
        challenge = pkce.challenge(self.verifier) if self.verifier else ""
        request = oauth.device_request(self._client, challenge=challenge, request_id=self._request_id())
        answer = await call(self._transport, request, provider=self._sign_in.provider)
        return self._started(oauth.read_device(self._client, answer, now=self._clock.now()))

    def resume(
        self, *, device_code: Secret, verifier: str, expires_in_s: float = 900.0, interval_s: float = 5.0
    ) -> DeviceGrant:
        """Take up a flow that another object began; there is nothing left to show of it."""
        self.verifier = verifier
        return self._started(
            DeviceGrant(
                device_code=device_code,
                user_code="",
                verification_uri="",
                verification_uri_complete="",
                expires_in_s=expires_in_s,
                interval_s=interval_s,
            )
        )

    async def wait(self, grant: DeviceGrant, *, is_given_up: Callable[[], bool] | None = None) -> SignedIn:
        """Poll until the person has decided; cancel it at any time, though what was just granted may be lost then.

        `is_given_up` is asked several times a second, but never while a server may be granting something.

        Raises:
            GivenUp: as it says.
            LoginRequired: refused, or not confirmed in time (`code` is `expired_token`).
            GatewayError: the server's answer ends the flow.
        """
        while True:
            pause_s, self._rest_s = max(self._interval_s, self._rest_s), 0.0
            await self._pause(pause_s, is_given_up)
            answer = await self._poll(grant)
            if isinstance(answer, Tokens):
                return await complete(self._sign_in, self._transport, answer, sleep=self._sleep)
            if answer.is_slower:
                self._interval_s = min(self._interval_s + _SLOWER_S, LONGEST_INTERVAL_S)

    def _started(self, grant: DeviceGrant) -> DeviceGrant:
        self._interval_s = min(max(grant.interval_s, _SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)
        self._ends_at = self._clock.monotonic() + grant.expires_in_s
        self._polls_at = self._clock.monotonic() + self._interval_s
        return grant

    async def _pause(self, seconds: float, is_given_up: Callable[[], bool] | None) -> None:
        """Never beyond the end, where one last question is asked; raises LoginRequired after it."""
        left_s = self.seconds_left
        if left_s <= 0:
            raise self._expired()
        pause_s = min(seconds, left_s)
        self._polls_at = self._clock.monotonic() + pause_s
        if is_given_up is None:
            await self._sleep(pause_s)
            return
        while not is_given_up():
            if pause_s <= 0:
                return
            await self._sleep(min(pause_s, _LOOK_EVERY_S))
            pause_s -= _LOOK_EVERY_S
        raise GivenUp("Nobody waits for this sign-in any more.")

    async def _poll(self, grant: DeviceGrant) -> Tokens | Waiting:
        request = oauth.poll_request(
            self._client, device_code=grant.device_code, verifier=self.verifier, request_id=self._request_id()
        )
        answer = await self._sent(request)
        if answer is None:
            return Waiting()
        try:
            found = oauth.read_poll(self._client, answer, now=self._clock.now())
        except Overloaded as error:
            self._failure = error
            return Waiting()
        except RateLimited as error:
            if self._rate_rests >= _RATE_RESTS:
                raise
            self._rate_rests += 1
            self._failure = error
            self._rest_s = min(max(error.retry_after_s or 0.0, _RATE_REST_S), LONGEST_INTERVAL_S)
            return Waiting()
        self._failure = None
        return found

    async def _sent(self, request: UpstreamRequest) -> OAuthAnswer | None:
        """The answer, or None after a failure that may pass."""
        try:
            limit_s = max(_LEAST_LIMIT_S, min(LIMIT_S, self.seconds_left))
            return await call(self._transport, request, provider=self._sign_in.provider, limit_s=limit_s)
        except TlsFailed:
            raise
        except UpstreamError as error:
            self._failure = error
            return None

    def _expired(self) -> LoginRequired:
        message = "The code expired before anybody confirmed it."
        if self._failure is not None:
            message = f"The code expired, and the sign-in server did not answer properly: {self._failure.message}"
        hint = f"`iflow2api login {self._sign_in.provider}` gives a new one"
        return LoginRequired(message, hint=hint, code=EXPIRED)

    def _request_id(self) -> str:
        return uuid4(self._entropy) if self._client.names_requests else ""


def _client_of(sign_in: SignIn) -> OAuthClient:
    if sign_in.client is None or not sign_in.client.device_url:
        raise ConfigError(
            f"{sign_in.provider} gives no device codes.", hint=f"`iflow2api login {sign_in.provider}` takes another way"
        )
    return sign_in.client
