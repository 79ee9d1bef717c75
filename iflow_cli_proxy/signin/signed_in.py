"""What a sign-in brings, and its last step: the key that the API takes, where that is not the access token.

Knows how patient to be with a profile that does not come. Tokens that were issued are never dropped for it: the sign-in
then comes back without its API key and with the reason, so that it can be kept, told, and completed by a refresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from iflow_cli_proxy.core.errors import CapacityError, GatewayError, TlsFailed, UpstreamError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, Tokens
from iflow_cli_proxy.providers.signin import Profile, Profiles, SignIn
from iflow_cli_proxy.signin.calling import call
from iflow_cli_proxy.transport.base import Transport

Sleep: TypeAlias = Callable[[float], Awaitable[object]]

_PAUSES_S: Final = (1.0, 2.0)
"""Between three tries (the vendor's client does the same)."""
_LIMIT_S: Final = 15.0
"""Of one try: a person and a browser wait for all three."""


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """One identity, as far as its provider tells about it."""

    auth_type: AuthType
    tokens: Tokens | None = None
    api_key: Secret = field(default_factory=Secret)
    """Empty where the access token is the bearer, and while there is a `problem`."""
    api_key_expires_at: float | None = None
    label: str = ""
    """The provider's name for the person, as it came."""
    user_id: str = ""
    base_url: str = ""
    problem: GatewayError | None = None
    """Why there is no API key yet although the tokens are good."""


async def complete(sign_in: SignIn, transport: Transport, tokens: Tokens, *, sleep: Sleep = asyncio.sleep) -> SignedIn:
    """Fetch the profile where the provider has one.

    Raises:
        LoginRequired: the provider does not take its own new access token.
    """
    signed_in = SignedIn(auth_type=AuthType.OAUTH, tokens=tokens, base_url=tokens.base_url)
    if sign_in.profiles is None:
        return signed_in
    found = await _profile(sign_in.provider, sign_in.profiles, transport, tokens, sleep)
    if isinstance(found, GatewayError):
        return replace(signed_in, problem=found)
    return replace(signed_in, api_key=found.api_key, label=found.label, user_id=found.user_id)


async def _profile(
    provider: str, profiles: Profiles, transport: Transport, tokens: Tokens, sleep: Sleep
) -> Profile | GatewayError:
    """The profile, or why three tries did not bring it."""
    for pause_s in (*_PAUSES_S, None):
        try:
            return profiles.read(await call(transport, profiles.request(tokens), provider=provider, limit_s=_LIMIT_S))
        except (UpstreamError, CapacityError) as error:
            if pause_s is None or isinstance(error, TlsFailed):
                return error
        await sleep(pause_s)
    raise AssertionError("the last try answers or gives up")
